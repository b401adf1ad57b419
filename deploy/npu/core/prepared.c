/* A translated program on the memory that it runs on: what it takes is looked at once, what it works in is kept.
 */

#define PY_SSIZE_T_CLEAN
#include "prepared.h"

#include <string.h>

#include "run.h"

#define WORD ((size_t)8)

struct prepared {
    PyObject head;
    Py_buffer operations, pieces, ranges, knots;
    Py_buffer regions[REGION_COUNT];
    Py_buffer *weights;
    Py_ssize_t count; /* of operations */
    int64_t budget;   /* steps of the innermost loops after which the interpreter has a turn */
    PyObject *ask;
    bool running;
    struct run run;
};

static void release(Py_buffer *view)
{
    if (view->obj != NULL) {
        PyBuffer_Release(view);
    }
    memset(view, 0, sizeof *view);
}

static int take_words(PyObject *from, Py_buffer *into, size_t bytes_each, const char *what)
{
    if (PyObject_GetBuffer(from, into, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if ((size_t)into->len % bytes_each != 0 || (into->len > 0 && (uintptr_t)into->buf % WORD != 0)) {
        release(into);
        PyErr_Format(PyExc_ValueError, "%s must be whole records of 64-bit words", what);
        return -1;
    }
    return 0;
}

static int take_regions(struct prepared *prepared, PyObject *regions)
{
    if (!PyTuple_Check(regions) || PyTuple_Size(regions) != REGION_COUNT) {
        PyErr_Format(PyExc_ValueError, "there are %d regions", REGION_COUNT);
        return -1;
    }
    for (Py_ssize_t i = 0; i < REGION_COUNT; i++) {
        PyObject *region = PyTuple_GetItem(regions, i);
        Py_buffer *view = &prepared->regions[i];
        if (region == Py_None) {
            continue;
        }
        if (PyObject_GetBuffer(region, view, PyBUF_ND) < 0) {
            return -1;
        }
        if (view->ndim != 2 || view->itemsize != 1) {
            PyErr_SetString(PyExc_ValueError, "a region has rows of bytes");
            return -1;
        }
        prepared->run.regions[i] = (struct region){view->buf, view->shape[0], view->shape[1]};
    }
    return 0;
}

static int take_weights(struct prepared *prepared, PyObject *weights)
{
    if (!PyList_Check(weights) || PyList_Size(weights) != prepared->count) {
        PyErr_SetString(PyExc_ValueError, "there are weights, or None, for every operation");
        return -1;
    }
    prepared->weights = PyMem_Calloc((size_t)prepared->count + 1, sizeof *prepared->weights);
    if (prepared->weights == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < prepared->count; i++) {
        PyObject *packed = PyList_GetItem(weights, i);
        if (packed != Py_None && take_words(packed, &prepared->weights[i], 1, "weights") < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_kernels(struct prepared *prepared, int version)
{
    int versions = 0;
    while (kernels_here()[versions] != NULL) {
        versions++;
    }
    if (version < 0 || version >= versions) {
        PyErr_SetString(PyExc_ValueError, "no such version");
        return -1;
    }
    prepared->run.kernels = kernels_here()[version];
    return 0;
}

static PyObject *make(PyTypeObject *type, PyObject *words, PyObject *named)
{
    PyObject *operations, *pieces, *ranges, *weights, *ask, *regions, *knots;
    long long batch, budget, band_bytes;
    int version;
    if (named != NULL && PyDict_Size(named) != 0) {
        PyErr_SetString(PyExc_TypeError, "what is given has no names");
        return NULL;
    }
    if (!PyArg_ParseTuple(words, "OOOOOOOLLLi", &operations, &pieces, &ranges, &weights, &ask, &regions, &knots,
                          &batch, &budget, &band_bytes, &version)) {
        return NULL;
    }
    if (batch < 1) {
        PyErr_SetString(PyExc_ValueError, "no such batch");
        return NULL;
    }
    struct prepared *prepared = (struct prepared *)PyType_GenericAlloc(type, 0);
    if (prepared == NULL) {
        return NULL;
    }
    prepared->ask = Py_NewRef(ask);
    prepared->budget = budget;
    prepared->run.batch = batch;
    prepared->run.band_bytes = band_bytes;
    if (take_words(operations, &prepared->operations, sizeof(struct operation), "operations") == 0 &&
        take_words(pieces, &prepared->pieces, sizeof(struct piece), "pieces") == 0 &&
        take_words(ranges, &prepared->ranges, sizeof(struct range), "ranges") == 0 &&
        take_words(knots, &prepared->knots, 256 * WORD, "knots") == 0) {
        prepared->count = prepared->operations.len / (Py_ssize_t)sizeof(struct operation);
        prepared->run.pieces = prepared->pieces.buf;
        prepared->run.ranges = prepared->ranges.buf;
        prepared->run.knots = prepared->knots.buf;
        if (take_regions(prepared, regions) == 0 && take_weights(prepared, weights) == 0 &&
            take_kernels(prepared, version) == 0) {
            return (PyObject *)prepared;
        }
    }
    Py_DECREF(prepared);
    return NULL;
}

static void let_go(PyObject *object)
{
    struct prepared *prepared = (struct prepared *)object;
    PyTypeObject *type = Py_TYPE(object);
    release(&prepared->operations);
    release(&prepared->pieces);
    release(&prepared->ranges);
    release(&prepared->knots);
    for (int i = 0; i < REGION_COUNT; i++) {
        release(&prepared->regions[i]);
    }
    for (Py_ssize_t i = 0; prepared->weights != NULL && i < prepared->count; i++) {
        release(&prepared->weights[i]);
    }
    PyMem_Free(prepared->weights);
    room_free(&prepared->run.room);
    Py_XDECREF(prepared->ask);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* Asks for the weights of an operation: 1 if there are some, 0 if not, -1 for an error. */
static int ask_for_weights(struct prepared *prepared, Py_ssize_t number)
{
    PyObject *packed = PyObject_CallFunction(prepared->ask, "n", number);
    if (packed == NULL || packed == Py_None) {
        Py_XDECREF(packed);
        return packed == NULL ? -1 : 0;
    }
    release(&prepared->weights[number]);
    const int taken = take_words(packed, &prepared->weights[number], 1, "weights");
    Py_DECREF(packed);
    return taken < 0 ? -1 : 1;
}

static enum outcome run_operation(struct run *run, const struct operation *operation,
                                  const struct packed_weights *weights)
{
    enum outcome outcome = DONE;
    if (operation->kind == KIND_OTHER) {
        return LEFT;
    }
    if (operation->kind == KIND_TRANSFER) {
        return transfer(run, operation);
    }
    if (operation->kind == KIND_ROWS_TRANSFER) {
        return transfer_rows(run, operation);
    }
    if (operation->kind == KIND_GATHER) {
        return gather(run, operation);
    }
    if (operation->kind == KIND_SCATTER) {
        return scatter(run, operation);
    }
    if (operation->kind == KIND_CONVOLUTION && (weights == NULL || !weights_hold(run, operation, weights))) {
        return WANTS_WEIGHTS;
    }
    if (operation->number_bits && !numbers_fit(run, operation)) {
        return LEFT;
    }
    for (int64_t item = 0; item < run->batch && outcome == DONE; item++) {
        switch (operation->kind) {
        case KIND_CONVOLUTION:
            outcome = convolution(run, operation, weights, item);
            break;
        case KIND_PRODUCT:
            outcome = product(run, operation, item);
            break;
        case KIND_POOLING:
            outcome = pooling(run, operation, item);
            break;
        case KIND_FILL:
            outcome = fill_sums(run, operation, item);
            break;
        case KIND_RESIZE:
            outcome = resize(run, operation, item);
            break;
        default:
            outcome = elementwise(run, operation, item);
            break;
        }
    }
    return outcome;
}

/* Runs until the end, an operation that is not done, or enough work for now. Returns the next operation's number.
 */
static Py_ssize_t run_some(struct prepared *prepared, Py_ssize_t first, Py_ssize_t stop, enum outcome *outcome)
{
    const struct operation *operations = prepared->operations.buf;
    int64_t budget = prepared->budget;
    Py_ssize_t next = first;
    *outcome = DONE;
    while (next < stop && budget > 0) {
        *outcome = run_operation(&prepared->run, &operations[next], prepared->weights[next].buf);
        if (*outcome != DONE) {
            break;
        }
        budget -= operations[next].work * prepared->run.batch;
        next++;
    }
    return next;
}

/* The number of the first operation that was not run; -1 for an error. */
static Py_ssize_t run_all(struct prepared *prepared, Py_ssize_t first, Py_ssize_t stop)
{
    Py_ssize_t next = first;
    for (;;) {
        enum outcome outcome;
        Py_BEGIN_ALLOW_THREADS;
        next = run_some(prepared, next, stop, &outcome);
        Py_END_ALLOW_THREADS;
        if (outcome == NO_MEMORY) {
            PyErr_NoMemory();
            return -1;
        }
        if (outcome == LEFT || (outcome == DONE && next == stop)) {
            return next;
        }
        const int asked = outcome == WANTS_WEIGHTS ? ask_for_weights(prepared, next) : 1;
        if (asked < 0 || PyErr_CheckSignals() < 0) {
            return -1;
        }
        if (asked == 0) {
            return next;
        }
    }
}

static PyObject *run(PyObject *object, PyObject *const *words, Py_ssize_t count)
{
    struct prepared *prepared = (struct prepared *)object;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "run(first, stop)");
        return NULL;
    }
    const Py_ssize_t first = PyLong_AsSsize_t(words[0]), stop = PyLong_AsSsize_t(words[1]);
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (first < 0 || first > stop || stop > prepared->count || prepared->running) {
        PyErr_SetString(PyExc_ValueError, "no such operations, or they run already");
        return NULL;
    }
    prepared->running = true;
    const Py_ssize_t next = run_all(prepared, first, stop);
    prepared->running = false;
    return next < 0 ? NULL : PyLong_FromSsize_t(next);
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL, "Run operations; see translation.py."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)make},
    {Py_tp_dealloc, (void *)let_go},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec prepared_spec = {
    .name = "deploy.npu.core.native.Prepared",
    .basicsize = sizeof(struct prepared),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
