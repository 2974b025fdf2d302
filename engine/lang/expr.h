/* Expressions: ${name.attribute}, ${var.x}, ${stack.name}, ${provider.account}, ${provider.region}, ${file('path')},
 * ${each.key}, ${each.value}. A reference alone keeps its type; inside text it is joined as text. $${ is a literal ${.
 * Inside json attributes a name with a colon (${aws:username}) is IAM's own and left alone. Paths into maps and lists:
 * ${fleet.ports.ssh}, ${list.items[0]}. No loops, no arithmetic. */
#ifndef SF_LANG_EXPR_H
#define SF_LANG_EXPR_H

#include "engine/lang/stack.h"

/* What names mean while evaluating. */
struct sf_scope {
    const struct sf_stack *stack;
    struct sf_str account;
    struct sf_str region;
    const struct sf_resource *self; /* for each.*; may be NULL */
    /* Attribute `attr` of resource `name` as known now: a value, an unknown whose source is "name.attr", never NULL for
     * an attribute of the schema (null if it has none). "id" is always askable. */
    const struct sf_value *(*attribute)(void *ctx, const struct sf_resource *resource, struct sf_str attr);
    void *ctx;
};

/* Evaluates a raw tree: every ${} replaced. An unknown inside text makes the whole text unknown (source kept); a secret inside
 * text makes the text secret. */
enum sf_code sf_expr_eval(struct sf_arena *arena, const struct sf_scope *scope, const struct sf_value *raw, bool in_json,
                          struct sf_diags *diags, const struct sf_value **out) SF_MUST_CHECK;

/* Evaluates and types all attributes of a resource: `attrs` holds every attribute written, defaults filled in, nulls
 * dropped. Refs: the value is the target's identity (attr->ref_attr or its id) as a string or unknown; refs[] gets the names.
 * Missing required attributes are reported unless computed/derived. */
enum sf_code sf_resource_eval(struct sf_arena *arena, const struct sf_scope *scope, const struct sf_resource *resource,
                              struct sf_diags *diags, struct sf_value **attrs, struct sf_value **refs) SF_MUST_CHECK;

#endif
