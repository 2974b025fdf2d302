/* JSON to values and back. Strict RFC 8259: duplicate keys, bad UTF-8, lone surrogates, control characters, trailing
 * text and depth over SF_MAX_JSON_DEPTH are refused with line and column. Numbers that are not a plain int64 keep their
 * text (SF_V_NUMBER), so canonical output writes them as they came. */
#ifndef SF_CORE_JSON_H
#define SF_CORE_JSON_H

#include "engine/core/value.h"

enum sf_json_mode {
    SF_JSON_PLAIN, /* secrets print as "(secret)", unknowns as null: for people and -json output */
    SF_JSON_STATE, /* secrets as {"$secret": fingerprint}, unknowns as {"$unknown": source}; parse reads them back */
};

/* Parses `text`; `file` names it in errors (NUL-terminated). SF_E_CONFIG with err->where on any defect. */
enum sf_code sf_json_parse(struct sf_arena *arena, struct sf_str text, const char *file, enum sf_json_mode mode,
                           const struct sf_value **out, struct sf_err *err) SF_MUST_CHECK;

/* Canonical: keys sorted bytewise, no blanks, shortest escapes (only what JSON demands). A clear-text secret in
 * SF_JSON_STATE mode is a bug of the caller: it is written as {"$secret":""}, never in the clear. */
void sf_json_write(struct sf_buf *buf, const struct sf_value *v, enum sf_json_mode mode);
/* The same in the map's own order, indented by two blanks, no final newline. */
void sf_json_write_pretty(struct sf_buf *buf, const struct sf_value *v, enum sf_json_mode mode);
/* Canonical text in the arena. */
struct sf_str sf_json_text(struct sf_arena *arena, const struct sf_value *v, enum sf_json_mode mode);
/* A JSON string literal with its quotes. */
void sf_json_write_string(struct sf_buf *buf, struct sf_str s);

#endif
