/* The stack file: YAML to variables, resources, outputs, with every reference found and checked, nothing evaluated yet. */
#ifndef SF_LANG_STACK_H
#define SF_LANG_STACK_H

#include "engine/core/map.h"
#include "engine/lang/schema.h"

struct sf_variable {
    struct sf_str name;
    struct sf_mark mark;
    enum sf_attr_type type;               /* string, int, bool, list, map */
    const struct sf_value *default_value; /* NULL: none */
    const struct sf_value *enums;         /* list, or NULL */
    struct sf_str pattern;                /* POSIX extended regex, anchored by us, or empty */
    int64_t min, max;
    bool has_min, has_max;
    bool is_secret;
    int generate_length;          /* 0: not generated */
    const struct sf_value *value; /* after sf_stack_set_variables(); unknown for a generated one without a value yet */
    struct sf_str source;         /* "default", "-var", "SF_VAR_x", "file.yaml", "generated": for messages */
};

enum sf_on_remove { SF_ON_REMOVE_DESTROY, SF_ON_REMOVE_FORGET };

struct sf_resource {
    struct sf_str name;    /* unique in the stack; for_each: name["key"] */
    struct sf_str address; /* "bucket.landing" */
    const struct sf_schema *schema;
    struct sf_mark mark;          /* of the name */
    const struct sf_value *attrs; /* map: only schema attributes, raw (strings may hold ${...}); world blocks merged */
    struct sf_resource **deps;    /* distinct: refs, ${} and after */
    size_t n_deps;
    const struct sf_value *each; /* for_each value, or NULL */
    struct sf_str each_key;
    bool is_protected;
    enum sf_on_remove on_remove;
    const struct sf_value *ignore_changes; /* list of attribute names, or NULL */
    struct sf_str adopt;                   /* id to adopt, or empty */
    const struct sf_value *skip;           /* map: lint rule -> why it does not apply, or NULL */
    int create_s, update_s, destroy_s;     /* timeouts; 0: the schema's */
};

struct sf_output {
    struct sf_str name;
    struct sf_mark mark;
    const struct sf_value *raw;
};

struct sf_moved {
    struct sf_str from, to; /* resource names */
};

struct sf_stack {
    struct sf_arena *arena;
    const char *file; /* as given */
    const char *dir;  /* absolute directory of the stack file: relative paths start here */
    struct sf_str name;
    struct sf_str provider;          /* "local" or "aws" */
    const struct sf_value *settings; /* the provider's block (local: or aws:), a map, maybe empty */
    const struct sf_value *tags;     /* map of strings, maybe empty */
    struct sf_variable *variables;
    size_t n_variables;
    struct sf_map *variable_by_name;
    struct sf_resource *resources; /* file order */
    size_t n_resources;
    struct sf_map *by_name;
    struct sf_output *outputs;
    size_t n_outputs;
    struct sf_moved *moved;
    size_t n_moved;
    struct sf_source *sources; /* every file that was read, for the saved plan */
};

/* How the command line sets variables, later ones win: -var-file files, then SF_VAR_*, then -var, in the order given. */
struct sf_var_setting {
    struct sf_str text; /* "name=value" for -var; a path for -var-file */
    bool is_file;
};

/* Loads the file (and its include:), checks the top-level keys, kinds, attribute names, lifecycle keys, refs and ${}
 * targets, dependency cycles. `provider` overrides when not empty. Variables are set and checked here too; values of
 * `-var` are YAML flow text. All complaints go to `diags`; SF_E_CONFIG when there is an error. `environ_get` is the seam for
 * SF_VAR_*. */
enum sf_code sf_stack_load(struct sf_arena *arena, const char *path, struct sf_str provider, const struct sf_var_setting *settings,
                           size_t n_settings, const char *(*environ_get)(const char *), struct sf_diags *diags,
                           struct sf_stack **out) SF_MUST_CHECK;

#endif
