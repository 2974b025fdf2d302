/* What of the cache is held on to, and what is deleted.
 *
 * `conform/held-<digest of stack, world and address>.json` lists, for one dataset, its newest evaluations and those that its state
 * recorded. Kept are the objects and lists of every evaluation that such a file names, the snapshots that they were made from, and
 * the snapshots that pointers name. All else that an evaluation or a fetch leaves is deleted when a new evaluation was made and no
 * other process is at work in the cache; a transfer that broke off, after two weeks. A list that cannot be read stops that: then
 * nothing is deleted. */
#ifndef SF_DATA_SOURCE_HELD_H
#define SF_DATA_SOURCE_HELD_H

#include "engine/kind.h"
#include "resources/data/conform/cache.h"

enum { SF_HELD_EVALUATED = 4, SF_HELD_RECORDED = 2 };

/* While it is open nothing of the cache is deleted. Close *lock with sf_held_leave(). SF_E_IO. */
enum sf_code sf_held_enter(struct sf_op *op, int *lock, struct sf_err *err) SF_MUST_CHECK;
void sf_held_leave(int lock);

/* The dataset op->self now comes to this evaluation. True: that is news, so there may be something to delete. What cannot be
 * written down is not held, and nothing is deleted. */
bool sf_held_evaluated(struct sf_op *op, struct sf_str evaluation, const struct sf_value *want,
                       const struct sf_conform_source *from) SF_MUST_CHECK;
/* State records `want`, which was evaluated before. */
void sf_held_recorded(struct sf_op *op, const struct sf_value *want);
/* Whether the source file is another than when the recorded evaluation was made: other size, time or inode. False also when
 * that is not known. */
bool sf_held_is_file_changed(struct sf_op *op, const struct sf_value *recorded, const struct sf_conform_source *from);

/* Deletes what is not held. Does nothing while another process or thread is in between enter and leave. */
void sf_held_sweep(struct sf_arena *arena, const char *cache_dir);

#endif
