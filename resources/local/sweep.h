/* The proof at the end of a destroy. */
#ifndef SF_LOCAL_SWEEP_H
#define SF_LOCAL_SWEEP_H

#include "engine/kind.h"

/* What is left in the territory: object files, and processes started from it, one line each in *left (a list, in `arena`). When
 * there is nothing, the empty directories go too. Implements sf_world.sweep. */
enum sf_code sf_local_sweep(struct sf_arena *arena, const struct sf_site *site, const struct sf_value **left, struct sf_err *err);

#endif
