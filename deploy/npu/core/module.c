/* The Python module: takes a translated program and its memory, and runs it without the interpreter. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "mlw.h"
#include "run.h"
#include "weights.h"
#include "weights_module.h"

#define WORD ((size_t)8)

struct field {
    const char *name;
    size_t offset;
};

static const struct field fields[] = {
#define FIELD(member) {#member, offsetof(struct operation, member)},
    FIELDS(FIELD)
#undef FIELD
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static_assert(FIELD_COUNT * WORD == sizeof(struct operation), "FIELDS names every member of struct operation");
static_assert(sizeof(struct piece) == (2 + 3 * PIECE_DIMENSIONS) * WORD, "a piece is words alone");

/* All that is held while the interpreter does other things. */
struct call {
    Py_buffer operations, pieces, ranges, knots;
    Py_buffer regions[REGION_COUNT];
    Py_buffer *weights;
    Py_ssize_t count; /* of operations */
    struct run run;
};

static int take_words(PyObject *from, Py_buffer *into, size_t bytes_each, const char *what)
{
    if (PyObject_GetBuffer(from, into, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if ((size_t)into->len % bytes_each != 0 || (uintptr_t)into->buf % WORD != 0) {
        PyErr_Format(PyExc_ValueError, "%s must be whole records of 64-bit words", what);
        return -1;
    }
    return 0;
}

static int take_regions(struct call *call, PyObject *regions)
{
    if (!PyTuple_Check(regions) || PyTuple_Size(regions) != REGION_COUNT) {
        PyErr_Format(PyExc_ValueError, "there are %d regions", REGION_COUNT);
        return -1;
    }
    for (Py_ssize_t i = 0; i < REGION_COUNT; i++) {
        PyObject *region = PyTuple_GetItem(regions, i);
        Py_buffer *view = &call->regions[i];
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
        call->run.regions[i] = (struct region){view->buf, view->shape[0], view->shape[1]};
    }
    return 0;
}

static int take_weights(struct call *call, PyObject *weights, Py_ssize_t first, Py_ssize_t stop)
{
    if (!PyList_Check(weights) || PyList_Size(weights) != call->count) {
        PyErr_SetString(PyExc_ValueError, "there are weights, or None, for every operation");
        return -1;
    }
    call->weights = PyMem_Calloc((size_t)call->count + 1, sizeof *call->weights);
    if (call->weights == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = first; i < stop; i++) {
        PyObject *packed = PyList_GetItem(weights, i);
        if (packed != Py_None && take_words(packed, &call->weights[i], 1, "weights") < 0) {
            return -1;
        }
    }
    return 0;
}

static void release(Py_buffer *view)
{
    if (view->obj != NULL) {
        PyBuffer_Release(view);
    }
}

/* Asks for the weights of an operation: 1 if there are some, 0 if not, -1 for an error. The list keeps them. */
static int ask_for_weights(struct call *call, PyObject *weights, Py_ssize_t number, PyObject *ask)
{
    PyObject *packed = PyObject_CallFunction(ask, "n", number);
    if (packed == NULL || packed == Py_None) {
        Py_XDECREF(packed);
        return packed == NULL ? -1 : 0;
    }
    release(&call->weights[number]);
    const int taken = take_words(packed, &call->weights[number], 1, "weights");
    /* The list has the reference from here on. */
    return PyList_SetItem(weights, number, packed) < 0 || taken < 0 ? -1 : 1;
}

static void release_all(struct call *call)
{
    release(&call->operations);
    release(&call->pieces);
    release(&call->ranges);
    release(&call->knots);
    for (int i = 0; i < REGION_COUNT; i++) {
        release(&call->regions[i]);
    }
    for (Py_ssize_t i = 0; call->weights != NULL && i < call->count; i++) {
        release(&call->weights[i]);
    }
    PyMem_Free(call->weights);
    room_free(&call->run.room);
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
static Py_ssize_t run_program(struct call *call, Py_ssize_t first, Py_ssize_t stop, int64_t budget,
                              enum outcome *outcome)
{
    const struct operation *operations = call->operations.buf;
    *outcome = DONE;
    Py_ssize_t next = first;
    while (next < stop && budget > 0) {
        *outcome = run_operation(&call->run, &operations[next], call->weights[next].buf);
        if (*outcome != DONE) {
            break;
        }
        budget -= operations[next].work * call->run.batch;
        next++;
    }
    return next;
}

static PyObject *run(PyObject *module, PyObject *words)
{
    PyObject *operations, *pieces, *ranges, *weights, *ask, *regions, *knots;
    long long batch, budget;
    Py_ssize_t first, stop;
    int version;
    (void)module;
    if (!PyArg_ParseTuple(words, "OOOOOOOLnnLi", &operations, &pieces, &ranges, &weights, &ask, &regions, &knots,
                          &batch, &first, &stop, &budget, &version)) {
        return NULL;
    }
    struct call call;
    memset(&call, 0, sizeof call);
    PyObject *result = NULL;
    int versions = 0;
    while (kernels_here()[versions] != NULL) {
        versions++;
    }
    if (take_words(operations, &call.operations, sizeof(struct operation), "operations") == 0 &&
        take_words(pieces, &call.pieces, sizeof(struct piece), "pieces") == 0 &&
        take_words(ranges, &call.ranges, sizeof(struct range), "ranges") == 0 &&
        take_words(knots, &call.knots, 256 * WORD, "knots") == 0) {
        call.count = call.operations.len / (Py_ssize_t)sizeof(struct operation);
        if (first < 0 || stop > call.count || batch < 1 || version < 0 || version >= versions) {
            PyErr_SetString(PyExc_ValueError, "no such operations, batch or version");
        } else if (take_regions(&call, regions) == 0 && take_weights(&call, weights, first, stop) == 0) {
            enum outcome outcome;
            Py_ssize_t next = first;
            int asked;
            call.run.kernels = kernels_here()[version];
            call.run.pieces = call.pieces.buf;
            call.run.ranges = call.ranges.buf;
            call.run.knots = call.knots.buf;
            call.run.batch = batch;
            do {
                Py_BEGIN_ALLOW_THREADS;
                next = run_program(&call, next, stop, budget, &outcome);
                Py_END_ALLOW_THREADS;
                asked = outcome == WANTS_WEIGHTS ? ask_for_weights(&call, weights, next, ask) : 0;
            } while (asked > 0);
            if (asked == 0) {
                result = outcome == NO_MEMORY ? PyErr_NoMemory()
                                              : Py_BuildValue("nO", next, outcome == DONE ? Py_True : Py_False);
            }
        }
    }
    release_all(&call);
    return result;
}

static PyObject *field_offsets(void)
{
    PyObject *offsets = PyDict_New();
    for (int i = 0; offsets != NULL && i < FIELD_COUNT; i++) {
        PyObject *offset = PyLong_FromSize_t(fields[i].offset / WORD);
        if (offset == NULL || PyDict_SetItemString(offsets, fields[i].name, offset) < 0) {
            Py_CLEAR(offsets);
        }
        Py_XDECREF(offset);
    }
    return offsets;
}

static PyObject *version_names(void)
{
    PyObject *names = PyList_New(0);
    for (const struct kernels *const *kernels = kernels_here(); names != NULL && *kernels != NULL; kernels++) {
        PyObject *name = PyUnicode_FromString((*kernels)->name);
        if (name == NULL || PyList_Append(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

struct number {
    const char *name;
    int value;
};

#define NUMBER(name) {#name, name}

/* What the Python side writes into records. */
static const struct number numbers[] = {
    NUMBER(KIND_OTHER),
    NUMBER(KIND_CONVOLUTION),
    NUMBER(KIND_PRODUCT),
    NUMBER(KIND_POOLING),
    NUMBER(KIND_FILL),
    NUMBER(KIND_U55_ELEMENTWISE),
    NUMBER(KIND_U85_ELEMENTWISE),
    NUMBER(KIND_RESIZE),
    NUMBER(KIND_TRANSFER),
    NUMBER(KIND_ROWS_TRANSFER),
    NUMBER(KIND_GATHER),
    NUMBER(KIND_SCATTER),
    NUMBER(REGION_CHAINS),
    NUMBER(REGION_COUNT),
    NUMBER(ROUNDING_TFL),
    NUMBER(ROUNDING_NATURAL),
    NUMBER(ROUNDING_SYMMETRIC),
    NUMBER(ROUNDING_DOWN),
    NUMBER(REGION_INTERNAL),
    NUMBER(PIECE_DIMENSIONS),
    NUMBER(CHANNELS),
    NUMBER(PACKED),
    NUMBER(TOO_WIDE),
};

static PyObject *number_values(void)
{
    PyObject *values = PyDict_New();
    for (size_t i = 0; values != NULL && i < sizeof numbers / sizeof *numbers; i++) {
        PyObject *value = PyLong_FromLong(numbers[i].value);
        if (value == NULL || PyDict_SetItemString(values, numbers[i].name, value) < 0) {
            Py_CLEAR(values);
        }
        Py_XDECREF(value);
    }
    return values;
}

static int add(PyObject *module, const char *name, PyObject *value)
{
    const int result = value == NULL ? -1 : PyModule_AddObjectRef(module, name, value);
    Py_XDECREF(value);
    return result;
}

static int fill_module(PyObject *module)
{
    mlw_prepare();
    if (add(module, "FIELDS", field_offsets()) < 0 || add(module, "NUMBERS", number_values()) < 0 ||
        add(module, "ORDER", order_members()) < 0) {
        return -1;
    }
    return add(module, "VERSIONS", version_names());
}

static PyMethodDef methods[] = {
    {"run", run, METH_VARARGS, "Run operations of a translated program; see running.py."},
    {"decompress", decompress_stream, METH_VARARGS, "Decompress a weight stream; -1 where it is damaged."},
    {"packed_bytes", measure_packed, METH_VARARGS, "Bytes that packed weights take."},
    {"pack", pack_streams, METH_VARARGS, "Pack weights and scales; says how it went."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)fill_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "native", "The NPU's arithmetic, compiled.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_native(void);

PyMODINIT_FUNC PyInit_native(void)
{
    return PyModuleDef_Init(&definition);
}
