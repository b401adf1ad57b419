/* What the Python module offers for weights. */

#define PY_SSIZE_T_CLEAN
#include "weights_module.h"

#include <string.h>

#include "mlw.h"
#include "weights.h"

#define WORD ((Py_ssize_t)8)

enum { MOST_STREAMS = 4 }; /* of weights, or of scales: one a core */

/* Streams that are held while the interpreter does other things. */
struct held {
    Py_buffer views[MOST_STREAMS];
    struct bytes parts[MOST_STREAMS];
    int64_t count;
};

static int hold(PyObject *streams, struct held *held)
{
    const Py_ssize_t count = PySequence_Size(streams);
    if (count < 0 || count > MOST_STREAMS) {
        PyErr_Format(PyExc_ValueError, "there are at most %d streams", MOST_STREAMS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *stream = PySequence_GetItem(streams, i);
        const int taken = stream == NULL ? -1 : PyObject_GetBuffer(stream, &held->views[i], PyBUF_SIMPLE);
        Py_XDECREF(stream);
        if (taken < 0) {
            return -1;
        }
        held->parts[i] = (struct bytes){held->views[i].buf, held->views[i].len};
        held->count++;
    }
    return 0;
}

static void let_go(struct held *held)
{
    for (int64_t i = 0; i < held->count; i++) {
        PyBuffer_Release(&held->views[i]);
    }
}

static int take_order(PyObject *words, struct weight_order *order)
{
    Py_buffer view;
    if (PyObject_GetBuffer(words, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    const int fits = view.len == sizeof *order;
    if (fits) {
        memcpy(order, view.buf, sizeof *order);
    } else {
        PyErr_SetString(PyExc_ValueError, "an order has a 64-bit word for each of its members");
    }
    PyBuffer_Release(&view);
    return fits ? 0 : -1;
}

PyObject *measure_packed(PyObject *module, PyObject *words)
{
    PyObject *given;
    long long streams;
    struct weight_order order;
    (void)module;
    if (!PyArg_ParseTuple(words, "OL", &given, &streams) || take_order(given, &order) < 0) {
        return NULL;
    }
    return PyLong_FromLongLong(packed_bytes(&order, streams));
}

/* Weights that are to be packed, and what came of it. */
struct job {
    struct weight_order order;
    struct held weights, scales;
    Py_buffer room;
    enum packing found;
};

static int take_job(PyObject *given, struct job *job)
{
    PyObject *order, *streams, *records, *room;
    if (!PyArg_ParseTuple(given, "OOOO", &order, &streams, &records, &room) ||
        take_order(order, &job->order) < 0 || hold(streams, &job->weights) < 0 ||
        hold(records, &job->scales) < 0 || PyObject_GetBuffer(room, &job->room, PyBUF_WRITABLE) < 0) {
        return -1;
    }
    if (job->room.len < packed_bytes(&job->order, job->weights.count + job->scales.count) ||
        (uintptr_t)job->room.buf % WORD != 0 || job->scales.count > job->order.cores ||
        job->weights.count > job->order.cores || job->weights.count < 1) {
        PyErr_SetString(PyExc_ValueError, "no room for these weights, or streams of no core");
        return -1;
    }
    job->found = NOT_BEGUN;
    return 0;
}

static int take_jobs(PyObject *given, struct job *jobs, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(given, i);
        const int taken = item == NULL ? -1 : take_job(item, &jobs[i]);
        Py_XDECREF(item);
        if (taken < 0) {
            return -1;
        }
    }
    return 0;
}

/* One after the other until a byte is not 0. */
static void pack_jobs(struct job *jobs, Py_ssize_t count, const uint8_t *over)
{
    for (Py_ssize_t i = 0; i < count && !__atomic_load_n(over, __ATOMIC_RELAXED); i++) {
        jobs[i].found = pack_weights(&jobs[i].order, jobs[i].weights.parts, jobs[i].weights.count,
                                     jobs[i].scales.parts, jobs[i].scales.count, jobs[i].room.buf);
    }
}

/* How each went; NULL with an error set. */
static PyObject *outcomes(const struct job *jobs, Py_ssize_t count)
{
    PyObject *result = PyList_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *found = PyLong_FromLong(jobs[i].found);
        if (found == NULL || PyList_SetItem(result, i, found) < 0) {
            Py_CLEAR(result);
        }
    }
    return result;
}

PyObject *pack(PyObject *module, PyObject *words)
{
    PyObject *given, *flag, *result = NULL;
    Py_buffer over = {.obj = NULL};
    (void)module;
    if (!PyArg_ParseTuple(words, "OO", &given, &flag) || PyObject_GetBuffer(flag, &over, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const Py_ssize_t count = PySequence_Size(given);
    struct job *jobs = count < 0 ? NULL : PyMem_Calloc((size_t)count + 1, sizeof *jobs);
    if (jobs == NULL && count >= 0) {
        PyErr_NoMemory();
    } else if (over.len < 1) {
        PyErr_SetString(PyExc_ValueError, "there is no byte that says when it is over");
    } else if (jobs != NULL && take_jobs(given, jobs, count) == 0) {
        Py_BEGIN_ALLOW_THREADS;
        pack_jobs(jobs, count, over.buf);
        Py_END_ALLOW_THREADS;
        result = outcomes(jobs, count);
    }
    for (Py_ssize_t i = 0; jobs != NULL && i < count; i++) {
        let_go(&jobs[i].weights);
        let_go(&jobs[i].scales);
        if (jobs[i].room.obj != NULL) {
            PyBuffer_Release(&jobs[i].room);
        }
    }
    PyMem_Free(jobs);
    PyBuffer_Release(&over);
    return result;
}

PyObject *decompress_stream(PyObject *module, PyObject *words)
{
    PyObject *stream, *values, *result = NULL;
    Py_buffer from = {.obj = NULL}, to = {.obj = NULL};
    (void)module;
    if (!PyArg_ParseTuple(words, "OO", &stream, &values)) {
        return NULL;
    }
    if (PyObject_GetBuffer(stream, &from, PyBUF_SIMPLE) == 0 &&
        PyObject_GetBuffer(values, &to, PyBUF_WRITABLE) == 0) {
        struct mlw_reader reader;
        int16_t another;
        int64_t count;
        Py_BEGIN_ALLOW_THREADS;
        mlw_begin(&reader, from.buf, from.len);
        count = mlw_read(&reader, to.buf, to.len / 2);
        if (count >= 0 && mlw_read(&reader, &another, 1) != 0) {
            count = -1;
        }
        Py_END_ALLOW_THREADS;
        result = PyLong_FromLongLong(count);
    }
    if (from.obj != NULL) {
        PyBuffer_Release(&from);
    }
    if (to.obj != NULL) {
        PyBuffer_Release(&to);
    }
    return result;
}

PyObject *order_members(void)
{
#define NAME(member) #member,
    static const char *const names[] = {ORDER_FIELDS(NAME)};
#undef NAME
    const Py_ssize_t count = sizeof names / sizeof *names;
    static_assert(sizeof names / sizeof *names * 8 == sizeof(struct weight_order), "ORDER_FIELDS are all members");
    PyObject *found = PyList_New(0);
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (name == NULL || PyList_Append(found, name) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(name);
    }
    return found;
}
