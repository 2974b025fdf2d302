/* Strings taken apart at their ${...}: the one place that knows how a reference is written. Inside engine/lang only. */
#ifndef SF_LANG_PARTS_H
#define SF_LANG_PARTS_H

#include "engine/lang/diag.h"

enum sf_part_type {
    SF_PART_TEXT,
    SF_PART_RESOURCE, /* ${name.attr...}, ${name["key"].attr...} */
    SF_PART_VAR,      /* ${var.name...} */
    SF_PART_STACK,    /* ${stack.name} */
    SF_PART_PROVIDER, /* ${provider.account}, ${provider.region} */
    SF_PART_EACH,     /* ${each.key}, ${each.value...} */
    SF_PART_FILE,     /* ${file('path')} */
};

struct sf_part {
    enum sf_part_type type;
    struct sf_str text; /* of SF_PART_TEXT, escapes undone; else all of ${...} as written */
    size_t at;          /* byte offset in the string */
    struct sf_str name; /* resource (as in by_name), variable, key of stack, provider or each, or path of the file */
    struct sf_str attr; /* of a resource */
    struct sf_str path; /* what follows: ".ports[0]", or empty */
};

struct sf_part_error {
    size_t at, n; /* bytes of the string that are wrong */
    char message[160];
    char help[160];
};

/* Whether there is anything to take apart. */
bool sf_parts_any(struct sf_str text);
bool sf_parts_any_in(const struct sf_value *v);
/* The part at *at, which moves on. SF_E_ABSENT at the end, SF_E_CONFIG with *error when it is no reference. With `in_json` a name
 * with a colon (and IAM's ${*}, ${?}, ${$}) is text. */
enum sf_code sf_part_next(struct sf_arena *arena, struct sf_str text, size_t *at, bool in_json, struct sf_part *part,
                          struct sf_part_error *error) SF_MUST_CHECK;
/* Whether `part` is all there is in the string: then it keeps its type. */
bool sf_part_is_alone(const struct sf_part *part, struct sf_str text);
/* The mark of n bytes at `at` in a string value: inside its line when it stands on one. */
struct sf_mark sf_part_mark(const struct sf_value *v, size_t at, size_t n);
/* One step of a path: the key or index in front of *path, which moves on. False when it is malformed. */
bool sf_path_step(struct sf_str *path, struct sf_str *key, bool *is_index);
/* Resource names: [a-z][a-z0-9_]*, with ["key"] for one of a for_each. *name is in the form of by_name. False: not a name. */
bool sf_parse_resource_name(struct sf_arena *arena, struct sf_str text, struct sf_str *name);
/* Adds a diagnostic for a bad reference. */
enum sf_code sf_part_complain(struct sf_diags *diags, const struct sf_value *v, const struct sf_part_error *error);

#endif
