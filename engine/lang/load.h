/* What the files that load a stack share: stack.c (top level), variables.c, resource.c (blocks), refs.c (who needs whom).
 * Inside engine/lang only. */
#ifndef SF_LANG_LOAD_H
#define SF_LANG_LOAD_H

#include "engine/lang/expr.h"
#include "engine/lang/parts.h"

/* What a resource block of the file became: itself, or the instances of its for_each. */
struct sf_block {
    struct sf_mark mark;
    struct sf_str name;
    bool has_each;
    bool is_read; /* false: it has an error of its own, so what refers to it is not to be blamed */
};

struct sf_loader {
    struct sf_arena *arena;
    struct sf_diags *diags;
    struct sf_stack *stack;
    const char *(*environ_get)(const char *);
    struct sf_map *declarations; /* variable -> its map in the file */
    struct sf_map *blocks;       /* name -> struct sf_block */
    struct sf_str *names;        /* of all blocks, for "did you mean" */
    size_t n_names;
    const struct sf_value **after; /* per resource: its `after`, or NULL */
    size_t cap_resources;
};

/* "a map expected" and the like. */
enum sf_code sf_load_wrong(struct sf_loader *l, const struct sf_value *v, const char *what, const char *expected);
/* Reports each key of `map` that is not among `names`; `of` says whose keys they are. */
enum sf_code sf_load_check_keys(struct sf_loader *l, const struct sf_value *map, const char *of, const char *const *names,
                                size_t n);
/* A [a-z][a-z0-9_]* name of at most 64 characters, not one that expressions use. Reports. */
enum sf_code sf_load_check_name(struct sf_loader *l, const struct sf_pair *pair, const char *what);
/* Evaluates what must be known at load: variables, stack.name, each.*. */
enum sf_code sf_load_eval(struct sf_loader *l, const struct sf_resource *self, const struct sf_value *raw,
                          const struct sf_value **out);

/* Declares the variables of one `variables:` block. */
void sf_load_declare_variables(struct sf_loader *l, const struct sf_value *block);
/* Gives them values: defaults, -var-file, SF_VAR_*, -var; then file:, command: and generate: for secrets. */
void sf_load_set_variables(struct sf_loader *l, const struct sf_var_setting *settings, size_t n);

/* Reads one `resources:` block into stack->resources. */
void sf_load_resources(struct sf_loader *l, const struct sf_value *block);

/* Fills stack->by_name and every deps; checks all references, those of outputs too, and reports cycles. */
void sf_load_references(struct sf_loader *l);

#endif
