/* Sources that are fetched: {datasf: bpnb-jwfb} and {url: https://...}. What was fetched is a file of the cache, so that the
 * conform engine knows files only. While planning the source is asked whether it moved; applying uses what the plan fetched. */
#ifndef SF_DATA_SOURCE_LIVE_H
#define SF_DATA_SOURCE_LIVE_H

#include "engine/kind.h"
#include "resources/data/conform/cache.h"

/* Whether the source names one that is fetched. */
bool sf_live_is_source(const struct sf_value *source);

/* Brings the newest whole snapshot into the cache, if it is not there, and sets out->path and out->id.
 *
 * SF_E_CONFIG with err->where: the source is written wrong, or there is no such table. SF_E_DATA: its columns are not those of the
 * rules, or what came is no CSV. SF_E_UNKNOWN: torn three times, or cut off. SF_E_AUTH, SF_E_DENIED, SF_E_REFUSED, SF_E_IO,
 * SF_E_CANCELLED. Whatever fails leaves earlier snapshots as they are. */
enum sf_code sf_live_fetch(struct sf_op *op, const struct sf_value *source, const struct sf_rules *rules,
                           struct sf_conform_source *out, struct sf_err *err) SF_MUST_CHECK;

/* The snapshot turned out to be unusable: the next plan fetches it again. */
void sf_live_forget(struct sf_op *op, const struct sf_value *source);

#endif
