/* What a generator holds; shared by the file side (sample.c) and the answer key (key.c). */
#ifndef SF_DATA_SAMPLE_RENDER_H
#define SF_DATA_SAMPLE_RENDER_H

#include "resources/data/sample/draw.h"

struct sf_sample {
    struct sf_arena *arena;
    struct sf_sample_spec spec;
    struct sf_sample_members members;
    struct sf_sample_draw draw;
    struct sf_str *program, *type, *fund; /* members as text, each field with its comma */
    struct sf_str as_of, loaded_at;
    struct sf_str tail; /* from after the amount to the line end */
    size_t eol_bytes;
};

/* The column names of the API in the order of the 2026 file. */
extern const char *const sf_sample_api_names[];

/* The column names of the layout in file order, into 24 places; returns how many. */
uint32_t sf_sample_columns(const struct sf_sample *sample, const char **names);

#endif
