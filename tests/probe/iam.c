/* sfprobe iam FILE: one request against the policies in a JSON file, for other people's test suites.
 *
 * {request: {action, resource, principal, context}, identity_policies, resource_policy?, boundary?, session_policy?}
 * A `context` that is given is complete: a key it lacks is absent, a key whose value is null is not known. Without `context`
 * no key is known. `resource` may be {resource, accountId}. Prints the decision, then the deciding statement if there is one. */
#include "engine/core/json.h"
#include "resources/iam/iam.h"
#include "tests/probe/probe.h"

#include <stdio.h>
#include <stdlib.h>

static enum sf_code read_all(struct sf_arena *arena, const char *path, struct sf_str *text, struct sf_err *err)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!in)
        return sf_fail_errno(err, SF_E_IO, "cannot open '%s'", path);
    struct sf_buf buf = SF_BUF(SF_MAX_JSON_BYTES);
    char bytes[65536];
    size_t n;
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0 && !buf.overflow)
        sf_buf_add(&buf, (struct sf_str){bytes, n});
    if (in != stdin)
        fclose(in);
    enum sf_code rc = buf.overflow ? sf_fail(err, SF_E_IO, "'%s' is too large", path) : SF_OK;
    *text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return rc;
}

static enum sf_code probe(struct sf_arena *arena, const char *file, struct sf_err *err)
{
    const struct sf_value *root;
    struct sf_str text = SF_STR_NONE;
    enum sf_code rc = read_all(arena, file, &text, err);
    if (rc == SF_OK)
        rc = sf_json_parse(arena, text, file, SF_JSON_PLAIN, &root, err);
    if (rc)
        return rc;
    const struct sf_value *asked = sf_map_getz(root, "request"), *resource = sf_map_getz(asked, "resource");
    struct sf_iam_request request = {
        .action = sf_map_str(asked, "action"),
        .resource = sf_map_str(asked, "resource"),
        .principal = sf_map_getz(asked, "principal"),
        .context = sf_map_getz(asked, "context"),
        .is_context_complete = sf_map_getz(asked, "context") != NULL,
    };
    if (resource && resource->type == SF_V_MAP) {
        request.resource = sf_map_str(resource, "resource");
        request.resource_account = sf_map_str(resource, "accountId");
    }
    if (!request.action.n || !request.resource.n)
        return sf_fail(err, SF_E_CONFIG, "the request needs an action and a resource");
    if (request.context && request.context->type != SF_V_MAP)
        return sf_fail(err, SF_E_CONFIG, "the context must be an object");
    struct sf_iam_policies policies = {
        .identity = sf_map_getz(root, "identity_policies"),
        .resource = sf_map_getz(root, "resource_policy"),
        .boundary = sf_map_getz(root, "boundary"),
        .session = sf_map_getz(root, "session_policy"),
    };
    struct sf_iam_answer answer;
    rc = sf_iam_evaluate(arena, &request, &policies, &answer, err);
    if (rc)
        return rc;
    puts(sf_iam_decision_name(answer.decision));
    if (answer.statement)
        puts(sf_json_text(arena, answer.statement, SF_JSON_PLAIN).p);
    return SF_OK;
}

int sf_probe_iam(const char *file)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {0};
    enum sf_code rc = probe(arena, file, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.message);
    sf_arena_free(arena);
    return rc ? 1 : 0;
}
