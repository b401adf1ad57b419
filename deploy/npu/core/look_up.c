/* Elements by what was learned of every one of them: of bytes what becomes of each, of floats where each of 256
 * levels begins. deploy/verifying/learned_operators.py learns it, and says in NumPy what is done here. */

#define PY_SSIZE_T_CLEAN
#include "look_up.h"

#include <assert.h>

#include "run.h"

enum { LEVELS = 256 };

static_assert(sizeof(struct levels) == (LEVELS + 4) * sizeof(float), "levels are floats alone");

/* Elements, what is known of them, and room for what becomes of them. */
struct given {
    Py_buffer from, known, to;
};

static void let_go(struct given *given)
{
    PyBuffer_Release(&given->from);
    PyBuffer_Release(&given->known);
    PyBuffer_Release(&given->to);
}

static int take(PyObject *const *words, Py_ssize_t count, struct given *given)
{
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "elements, what is known of them, and room for what becomes of them");
        return -1;
    }
    if (PyObject_GetBuffer(words[0], &given->from, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if (PyObject_GetBuffer(words[1], &given->known, PyBUF_SIMPLE) < 0) {
        PyBuffer_Release(&given->from);
        return -1;
    }
    if (PyObject_GetBuffer(words[2], &given->to, PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(&given->from);
        PyBuffer_Release(&given->known);
        return -1;
    }
    return 0;
}

PyObject *look_up(PyObject *module, PyObject *const *words, Py_ssize_t count)
{
    struct given given;
    (void)module;
    if (take(words, count, &given) < 0) {
        return NULL;
    }
    const int64_t size = given.known.len / LEVELS;
    const int fits = given.known.len == size * LEVELS && given.to.len == given.from.len * size;
    if (fits) {
        look_up_bytes(given.from.buf, given.known.buf, size, given.from.len, given.to.buf);
    } else {
        PyErr_SetString(PyExc_ValueError, "no table for 256 bytes, or no room");
    }
    let_go(&given);
    return fits ? Py_NewRef(Py_None) : NULL;
}

PyObject *find_levels(PyObject *module, PyObject *const *words, Py_ssize_t count)
{
    struct given given;
    (void)module;
    if (take(words, count, &given) < 0) {
        return NULL;
    }
    const int fits = given.known.len == sizeof(struct levels) && (uintptr_t)given.known.buf % sizeof(float) == 0 &&
                     given.from.len == given.to.len * (Py_ssize_t)sizeof(float);
    const struct kernels *const *kernels = kernels_here();
    int known = 0;
    if (fits) {
        while (kernels[1] != NULL) {
            kernels++;
        }
        known = (*kernels)->find_levels(given.from.buf, given.to.len, given.known.buf, given.to.buf);
    } else {
        PyErr_SetString(PyExc_ValueError, "no levels, or no room");
    }
    let_go(&given);
    return fits ? PyBool_FromLong(known) : NULL;
}
