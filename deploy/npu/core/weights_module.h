/* What the Python module offers for weights. */

#ifndef NPU_CORE_WEIGHTS_MODULE_H
#define NPU_CORE_WEIGHTS_MODULE_H

#include <Python.h>

/* (order, number of streams): bytes of room for the packed weights. */
PyObject *measure_packed(PyObject *module, PyObject *words);

/* (jobs, over): what enum packing says of each job, which is (order, weight streams, scale streams, room). Once the
 * first byte of `over` is not 0, which another thread may say, none is begun any more. */
PyObject *pack(PyObject *module, PyObject *words);

/* (weight stream, room): how many values it has, or -1 where it is damaged. */
PyObject *decompress_stream(PyObject *module, PyObject *words);

/* Members of struct weight_order in their order. */
PyObject *order_members(void);

#endif
