/* The Python module: what it offers, and the names and numbers by which the Python side speaks to it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "look_up.h"
#include "mlw.h"
#include "prepared.h"
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

/* Members up to one, from where those begin that share their place. */
#define UP_TO(last)                                                                                               \
    (offsetof(struct operation, last) + sizeof(((struct operation *)NULL)->last) -                                \
     offsetof(struct operation, kernel_height))

static_assert(FIELD_COUNT * WORD == offsetof(struct operation, kernel_height) + UP_TO(streams) + UP_TO(operand_b) +
                                        UP_TO(horizontal) + UP_TO(highest_index),
              "FIELDS names every member of struct operation");
static_assert(sizeof(struct piece) == (2 + 3 * PIECE_DIMENSIONS) * WORD, "a piece is words alone");

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

#ifndef CORE_SOURCES /* as setup.py defines it; empty: not known */
#define CORE_SOURCES ""
#endif

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
    NUMBER(OPERATION_WORDS),
    NUMBER(PIECE_DIMENSIONS),
    NUMBER(CHANNELS),
    NUMBER(PACKED),
    NUMBER(TOO_WIDE),
    NUMBER(NO_ROOM),
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
    if (add(module, "SOURCES", PyUnicode_FromString(CORE_SOURCES)) < 0) {
        return -1;
    }
    if (add(module, "FIELDS", field_offsets()) < 0 || add(module, "NUMBERS", number_values()) < 0 ||
        add(module, "ORDER", order_members()) < 0) {
        return -1;
    }
    if (add(module, "VERSIONS", version_names()) < 0) {
        return -1;
    }
    return add(module, "Prepared", PyType_FromModuleAndSpec(module, &prepared_spec, NULL));
}

static PyMethodDef methods[] = {
    {"decompress", decompress_stream, METH_VARARGS, "Decompress a weight stream; -1 where it is damaged."},
    {"look_up", (PyCFunction)(void (*)(void))look_up, METH_FASTCALL, "Entries of a table for bytes."},
    {"find_levels", (PyCFunction)(void (*)(void))find_levels, METH_FASTCALL, "Floats to 256 levels."},
    {"packed_bytes", measure_packed, METH_VARARGS, "Bytes that packed weights take."},
    {"pack", pack, METH_VARARGS, "Pack weights and scales; says how it went."},
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
