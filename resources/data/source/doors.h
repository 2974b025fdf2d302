/* The parts of live.c: one function a kind of source. */
#ifndef SF_DATA_SOURCE_DOORS_H
#define SF_DATA_SOURCE_DOORS_H

#include "resources/data/source/fetch.h"

struct sf_datasf {
    struct sf_str id; /* "bpnb-jwfb" */
    enum sf_datasf_door { SF_DOOR_AUTO, SF_DOOR_BULK, SF_DOOR_SODA2, SF_DOOR_SODA3 } door;
    uint64_t page_rows;
    struct sf_str hosts[4]; /* "https://data.sf.gov", in the order they are tried */
    size_t n_hosts;
};

/* The table's newest snapshot: the one that `name` points at if the metadata say that it still is, else a new one. The caller holds
 * the lock on `name`. */
enum sf_code sf_datasf_fetch(struct sf_fetch *fetch, const struct sf_datasf *table, struct sf_str name,
                             const struct sf_rules *rules, struct sf_snapshot *out, struct sf_err *err) SF_MUST_CHECK;

/* The same of a plain address: asked with If-None-Match or If-Modified-Since. */
enum sf_code sf_url_fetch(struct sf_fetch *fetch, struct sf_str url, struct sf_str name, const struct sf_rules *rules,
                          struct sf_snapshot *out, struct sf_err *err) SF_MUST_CHECK;

#endif
