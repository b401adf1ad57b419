/* What the Python module offers for elements of which everything was learned. */

#ifndef NPU_CORE_LOOK_UP_H
#define NPU_CORE_LOOK_UP_H

#include <Python.h>

/* (bytes, 256 entries, room): the entry of each byte. */
PyObject *look_up(PyObject *module, PyObject *const *words, Py_ssize_t count);

/* (floats, struct levels, room for bytes): the level of each; whether all of them are within the limit. */
PyObject *find_levels(PyObject *module, PyObject *const *words, Py_ssize_t count);

#endif
