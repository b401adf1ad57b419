/* What the Python module offers for weights. */

#define PY_SSIZE_T_CLEAN
#include "weights_module.h"

#include <string.h>

#include "mlw.h"
#include "weights.h"

#define WORD ((Py_ssize_t)8)

enum { MOST_STREAMS = 16 };

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

PyObject *pack_streams(PyObject *module, PyObject *words)
{
    PyObject *given, *streams, *records, *room, *result = NULL;
    struct weight_order order;
    struct held of_weights = {.count = 0}, of_scales = {.count = 0};
    Py_buffer to = {.obj = NULL};
    (void)module;
    if (!PyArg_ParseTuple(words, "OOOO", &given, &streams, &records, &room) || take_order(given, &order) < 0) {
        return NULL;
    }
    if (hold(streams, &of_weights) == 0 && hold(records, &of_scales) == 0 &&
        PyObject_GetBuffer(room, &to, PyBUF_WRITABLE) == 0) {
        if (to.len < packed_bytes(&order, of_weights.count + of_scales.count) || (uintptr_t)to.buf % WORD != 0 ||
            of_scales.count > order.cores || of_weights.count > order.cores || of_weights.count < 1) {
            PyErr_SetString(PyExc_ValueError, "no room for these weights, or streams of no core");
        } else {
            enum packing found;
            Py_BEGIN_ALLOW_THREADS;
            found = pack_weights(&order, of_weights.parts, of_weights.count, of_scales.parts, of_scales.count,
                                 to.buf);
            Py_END_ALLOW_THREADS;
            if (found == NO_ROOM) {
                PyErr_NoMemory();
            } else {
                result = PyLong_FromLong(found);
            }
        }
    }
    let_go(&of_weights);
    let_go(&of_scales);
    if (to.obj != NULL) {
        PyBuffer_Release(&to);
    }
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
