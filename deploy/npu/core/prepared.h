/* A translated program on the memory that it runs on, as a Python object. */

#ifndef NPU_CORE_PREPARED_H
#define NPU_CORE_PREPARED_H

#include <Python.h>

/* Prepared(operations, pieces, ranges, weights, ask, regions, knots, batch, budget, version): all that is checked
 * is checked here. `weights` are packed ones, or None, for every operation; what is not there or does not hold is
 * asked for by the operation's number.
 *
 * run(first, stop): the first operation that was not run, which is NumPy's; `stop` if all were. */
extern PyType_Spec prepared_spec;

#endif
