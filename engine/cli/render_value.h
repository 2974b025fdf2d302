/* Values and their changes as lines of a plan. */
#ifndef SF_CLI_RENDER_VALUE_H
#define SF_CLI_RENDER_VALUE_H

#include "engine/cli/render.h"

#define SF_RED "\033[31m"
#define SF_GREEN "\033[32m"
#define SF_YELLOW "\033[33m"
#define SF_BOLD "\033[1m"
#define SF_RESET "\033[0m"

struct sf_pen {
    struct sf_buf *out;
    bool color;
};

/* Writes the colour if there are colours. */
void sf_pen_paint(struct sf_pen *pen, const char *code);
/* "(3 unchanged attributes hidden)"; nothing for none. */
void sf_pen_hidden(struct sf_pen *pen, int indent, size_t n, const char *one, const char *many);
/* `key = before -> after` and a line end. No `before`: it is new; no `after`: it goes; both the same value: shown as it is. `width`
 * is that of the widest key beside it. Of a derived attribute (`attr`; NULL: something else) that changes in many places the
 * entries are counted. */
void sf_pen_change(struct sf_pen *pen, const struct sf_attr *attr, struct sf_str key, int width, const struct sf_value *before,
                   const struct sf_value *after, int indent, const char *suffix);

#endif
