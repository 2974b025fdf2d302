/* The decision: statements, principals, and how the kinds of policy limit each other. See iam.h. */
#include "resources/iam/internal.h"

#include <stdio.h>

enum sf_code sf_iam_malformed(struct sf_err *err, const struct sf_value *at, const char *fmt, ...)
{
    va_list ap;
    char text[400];
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    sf_fail(err, SF_E_CONFIG, "malformed policy document: %s", text);
    if (err && at)
        err->where = at->mark;
    return SF_E_CONFIG;
}

const char *sf_iam_decision_name(enum sf_iam_decision decision)
{
    switch (decision) {
    case SF_IAM_ALLOWED:
        return "allowed";
    case SF_IAM_EXPLICITLY_DENIED:
        return "explicitly denied";
    case SF_IAM_IMPLICITLY_DENIED:
        return "implicitly denied";
    case SF_IAM_DEPENDS:
        break;
    }
    return "depends";
}

/* How a resource policy's Principal fits: the closer, the less else is needed. */
enum grade {
    VIA_ACCOUNT, /* the account is trusted: its own policies decide */
    VIA_ROLE,    /* the role: boundary and session policy still limit */
    VIA_CALLER,  /* the user, session or service itself */
    GRADES
};

/* What a set of documents says, and which statement says it. */
struct verdict {
    enum sf_iam_tri truth;
    struct sf_iam_answer by;
};

struct findings {
    bool is_present;
    struct verdict deny;
    struct verdict allow[GRADES]; /* identity, boundary and session policies use VIA_CALLER only */
};

/* The caller, taken apart once. */
struct caller {
    bool is_known, is_anonymous, is_service;
    const char *type; /* "AWS", "Service", "Federated", "CanonicalUser" */
    struct sf_str text, account, role;
    bool is_role, is_session, is_root;
};

static struct sf_str after_last_slash(struct sf_str s)
{
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '/')
            return sf_str_slice(s, i, s.n);
    }
    return s;
}

static bool is_account_id(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.n == 12;
}

static struct caller take_apart(const struct sf_value *principal)
{
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    struct caller c = {.type = "AWS"};
    for (size_t i = 0; principal && principal->type == SF_V_MAP && i < SF_COUNT(types); i++) {
        const struct sf_value *inner = sf_map_getz(principal, types[i]);
        if (!inner)
            continue;
        c.type = types[i];
        principal = inner;
    }
    if (!principal || principal->type != SF_V_STRING)
        return c;
    c.is_known = true;
    c.text = principal->s;
    c.is_anonymous = sf_str_is(c.text, "*");
    if (strcmp(c.type, "AWS") == 0 && !c.is_anonymous && !sf_str_starts(c.text, SF_STR("arn:")) && !is_account_id(c.text))
        c.type = "Service"; /* "transfer.amazonaws.com" */
    c.is_service = strcmp(c.type, "Service") == 0;
    if (strcmp(c.type, "AWS") != 0)
        return c;
    if (is_account_id(c.text)) {
        c.account = c.text;
        c.is_root = true;
        return c;
    }
    struct sf_str name = sf_iam_arn_part(c.text, 5);
    c.account = sf_iam_arn_part(c.text, 4);
    c.is_root = sf_str_is(name, "root");
    c.is_role = sf_str_starts(name, SF_STR("role/"));
    c.is_session = sf_str_starts(name, SF_STR("assumed-role/"));
    if (c.is_role)
        c.role = after_last_slash(name);
    if (c.is_session) {
        struct sf_str rest = sf_str_slice(name, sizeof("assumed-role/") - 1, name.n);
        c.role = sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("/")));
    }
    return c;
}

/* One value of a Principal of type `type` against the caller; false when it does not fit. */
static bool fits(const struct caller *c, const char *type, struct sf_str value, enum grade *grade)
{
    *grade = VIA_CALLER;
    if (strcmp(type, c->type) != 0)
        return false;
    if (sf_str_is(value, "*")) {
        *grade = c->is_role || c->is_session ? VIA_ROLE : VIA_CALLER;
        return true;
    }
    if (c->is_anonymous)
        return false;
    if (sf_str_eq(value, c->text)) {
        *grade = c->is_role ? VIA_ROLE : VIA_CALLER;
        return true;
    }
    if (strcmp(type, "AWS") != 0)
        return false;
    struct sf_str name = sf_iam_arn_part(value, 5), account = is_account_id(value) ? value : sf_iam_arn_part(value, 4);
    if (!account.n || !sf_str_eq(account, c->account))
        return false;
    if (is_account_id(value) || sf_str_is(name, "root")) {
        *grade = c->is_root ? VIA_CALLER : VIA_ACCOUNT;
        return true;
    }
    *grade = VIA_ROLE;
    return c->is_session && sf_str_starts(name, SF_STR("role/")) && sf_str_eq(after_last_slash(name), c->role);
}

/* A Principal or NotPrincipal element. */
static enum sf_code match_principal(struct sf_iam_eval *eval, const struct caller *c, const struct sf_value *element,
                                    enum sf_iam_tri *truth, enum grade *grade, struct sf_err *err)
{
    *truth = SF_NO;
    *grade = VIA_ACCOUNT;
    struct sf_pair alone = {.key = SF_STR("AWS"), .value = element};
    const struct sf_pair *pairs = &alone;
    size_t n = 1;
    if (element->type == SF_V_MAP) {
        pairs = element->map.pairs;
        n = element->map.n;
    } else if (sf_iam_count(element) == 1 && sf_iam_item(element, 0)->type == SF_V_STRING &&
               sf_str_is(sf_iam_item(element, 0)->s, "*")) {
        *truth = SF_YES; /* everyone, services too */
        *grade = c->is_role || c->is_session ? VIA_ROLE : VIA_CALLER;
        return SF_OK;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sf_iam_count(pairs[i].value); k++) {
            const struct sf_value *item = sf_iam_item(pairs[i].value, k);
            enum grade how;
            if (item->type == SF_V_UNKNOWN || !c->is_known) {
                eval->unknown = item->type == SF_V_UNKNOWN ? item->s : SF_STR("principal");
                *truth = sf_iam_or(*truth, SF_MAYBE);
                *grade = VIA_CALLER;
                continue;
            }
            if (item->type != SF_V_STRING)
                return sf_iam_malformed(err, item, "a principal must be a string");
            if (!fits(c, pairs[i].key.p, item->s, &how))
                continue;
            *grade = *truth == SF_YES && *grade > how ? *grade : how;
            *truth = SF_YES;
        }
    }
    return SF_OK;
}

/* Whether any of an element's patterns matches `text`. */
static enum sf_code match_any(struct sf_iam_eval *eval, const struct sf_value *element, struct sf_str text, bool is_action,
                              enum sf_iam_tri *truth, struct sf_err *err)
{
    bool kept = eval->has_variables;
    enum sf_code rc = SF_OK;
    *truth = SF_NO;
    eval->has_variables = kept && !is_action;
    for (size_t i = 0; i < sf_iam_count(element) && *truth != SF_YES && rc == SF_OK; i++) {
        const struct sf_value *item = sf_iam_item(element, i);
        struct sf_iam_pattern pattern;
        if (item->type == SF_V_UNKNOWN) {
            eval->unknown = item->s;
            *truth = SF_MAYBE;
        } else if (item->type != SF_V_STRING) {
            rc = sf_iam_malformed(err, item, "an %s must be a string", is_action ? "action" : "ARN");
        } else {
            enum sf_iam_tri known = sf_iam_compile(eval, item->s, true, &pattern);
            if (known == SF_YES && !sf_iam_match(&pattern, text, is_action))
                known = SF_NO;
            *truth = sf_iam_or(*truth, known);
        }
    }
    eval->has_variables = kept;
    return rc;
}

/* An element or its Not form; `otherwise` when the statement has neither. */
static enum sf_code match_either(struct sf_iam_eval *eval, const struct sf_value *statement, const char *name, const char *not_name,
                                 struct sf_str text, bool is_action, enum sf_iam_tri otherwise, enum sf_iam_tri *truth,
                                 struct sf_err *err)
{
    const struct sf_value *plain = sf_map_getz(statement, name), *inverse = sf_map_getz(statement, not_name);
    if (plain && inverse)
        return sf_iam_malformed(err, statement, "a statement cannot have both %s and %s", name, not_name);
    *truth = otherwise;
    if (!plain && !inverse)
        return SF_OK;
    enum sf_code rc = match_any(eval, plain ? plain : inverse, text, is_action, truth, err);
    if (inverse)
        *truth = sf_iam_not(*truth);
    return rc;
}

enum layer { IDENTITY, RESOURCE, BOUNDARY, SESSION };
static const char *const layer_names[] = {"identity policy", "resource policy", "permissions boundary", "session policy"};

static enum sf_code match_statement(struct sf_iam_eval *eval, const struct caller *c, enum layer layer,
                                    const struct sf_value *statement, bool is_deny, enum sf_iam_tri *truth, enum grade *grade,
                                    struct sf_err *err)
{
    enum sf_iam_tri part = SF_NO;
    *grade = VIA_CALLER;
    if (!sf_map_getz(statement, "Action") && !sf_map_getz(statement, "NotAction"))
        return sf_iam_malformed(err, statement, "a statement needs Action or NotAction");
    enum sf_code rc = match_either(eval, statement, "Action", "NotAction", eval->request->action, true, SF_NO, truth, err);
    if (rc || *truth == SF_NO)
        return rc;
    /* a trust policy has no Resource; elsewhere, where IAM would refuse the document, the safe reading is taken */
    enum sf_iam_tri without = layer == RESOURCE || is_deny ? SF_YES : SF_NO;
    rc = match_either(eval, statement, "Resource", "NotResource", eval->request->resource, false, without, &part, err);
    if (rc)
        return rc;
    *truth = sf_iam_and(*truth, part);
    if (layer == RESOURCE && *truth != SF_NO) {
        const struct sf_value *plain = sf_map_getz(statement, "Principal"), *inverse = sf_map_getz(statement, "NotPrincipal");
        const struct sf_value *who = plain ? plain : inverse;
        if (!who || (plain && inverse))
            return sf_iam_malformed(err, statement, "a statement of a resource policy needs Principal or NotPrincipal");
        rc = match_principal(eval, c, who, &part, grade, err);
        if (rc)
            return rc;
        if (who == inverse) {
            part = sf_iam_not(part);
            *grade = c->is_role || c->is_session ? VIA_ROLE : VIA_CALLER;
            /* IAM user guide, "NotPrincipal": with Deny it hits every principal that has a permissions boundary */
            if (is_deny && eval->has_boundary)
                part = SF_YES;
        }
        *truth = sf_iam_and(*truth, part);
    }
    if (*truth == SF_NO)
        return SF_OK;
    rc = sf_iam_conditions(eval, sf_map_getz(statement, "Condition"), &part, err);
    *truth = sf_iam_and(*truth, part);
    return rc;
}

static void note(struct verdict *v, enum sf_iam_tri truth, const struct sf_iam_answer *by)
{
    if (truth <= v->truth)
        return;
    v->truth = truth;
    v->by = *by;
}

static enum sf_code scan_document(struct sf_iam_eval *eval, const struct caller *c, enum layer layer,
                                  const struct sf_value *document, size_t position, struct findings *f, struct sf_err *err)
{
    struct sf_iam_answer here = {.source = layer_names[layer], .policy = position};
    if (document->type == SF_V_UNKNOWN) {
        here.unknown = document->s;
        note(&f->deny, SF_MAYBE, &here);
        for (size_t g = 0; g < GRADES; g++)
            note(&f->allow[g], SF_MAYBE, &here);
        return SF_OK;
    }
    if (document->type != SF_V_MAP)
        return sf_iam_malformed(err, document, "a policy must be a map");
    const struct sf_value *statements = sf_map_getz(document, "Statement");
    if (!statements)
        return sf_iam_malformed(err, document, "it has no Statement");
    eval->has_variables = sf_str_is(sf_map_str(document, "Version"), "2012-10-17");
    for (size_t i = 0; i < sf_iam_count(statements); i++) {
        const struct sf_value *statement = sf_iam_item(statements, i);
        struct sf_str effect = sf_map_str(statement, "Effect");
        bool is_deny = sf_str_is(effect, "Deny");
        if (statement->type != SF_V_MAP || (!is_deny && !sf_str_is(effect, "Allow")))
            return sf_iam_malformed(err, statement, "a statement must be a map whose Effect is Allow or Deny");
        enum sf_iam_tri truth;
        enum grade grade;
        eval->unknown = SF_STR_NONE;
        enum sf_code rc = match_statement(eval, c, layer, statement, is_deny, &truth, &grade, err);
        if (rc)
            return rc;
        here.statement = statement;
        here.index = i;
        here.unknown = truth == SF_MAYBE ? eval->unknown : SF_STR_NONE;
        note(is_deny ? &f->deny : &f->allow[grade], truth, &here);
    }
    return SF_OK;
}

static enum sf_code scan(struct sf_iam_eval *eval, const struct caller *c, enum layer layer, const struct sf_value *documents,
                         struct findings *f, struct sf_err *err)
{
    if (!documents || documents->type == SF_V_NULL)
        return SF_OK;
    for (size_t i = 0; i < sf_iam_count(documents); i++) {
        f->is_present = true;
        enum sf_code rc = scan_document(eval, c, layer, sf_iam_item(documents, i), i, f, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

/* Actions whose resource policy always has a say: who may assume a role, who may use a key. */
static bool needs_resource_policy(struct sf_str action)
{
    static const char *const services[] = {"sts:assumerole", "kms:"};
    for (size_t i = 0; i < SF_COUNT(services); i++) {
        if (sf_iam_equal_fold(sf_str_slice(action, 0, strlen(services[i])), sf_str_of(services[i])))
            return true;
    }
    return false;
}

static struct verdict both(struct verdict a, struct verdict b)
{
    /* what limits is what decides; when neither limits, the first is the grant */
    return b.truth < a.truth ? b : a;
}

static struct verdict either(struct verdict a, struct verdict b)
{
    return b.truth > a.truth ? b : a;
}

static bool is_same_account(const struct sf_iam_request *request, const struct caller *c)
{
    struct sf_str owner = request->resource_account.n ? request->resource_account : sf_iam_arn_part(request->resource, 4);
    return !owner.n || !c->account.n || sf_str_eq(owner, c->account);
}

/* "Policy evaluation logic": how the four kinds of policy combine. */
static struct verdict combine(const struct sf_iam_request *request, const struct caller *c, const struct findings *f)
{
    static const struct verdict everything = {.truth = SF_YES};
    struct verdict boundary = f[BOUNDARY].is_present ? f[BOUNDARY].allow[VIA_CALLER] : everything;
    struct verdict session = f[SESSION].is_present ? f[SESSION].allow[VIA_CALLER] : everything;
    struct verdict own = both(both(f[IDENTITY].allow[VIA_CALLER], boundary), session);
    const struct verdict *granted = f[RESOURCE].allow;
    struct verdict by_resource = either(either(granted[VIA_CALLER], granted[VIA_ROLE]), granted[VIA_ACCOUNT]);
    if (c->is_anonymous || c->is_service)
        return by_resource;
    if (!is_same_account(request, c))
        return both(own, by_resource);
    if (needs_resource_policy(request->action))
        own = both(own, by_resource);
    /* A grant to the session's own ARN passes the boundary by, but not, on the careful reading, the session policy. */
    struct verdict by_role = both(both(granted[VIA_ROLE], boundary), session);
    struct verdict by_caller = both(granted[VIA_CALLER], session);
    return either(own, either(by_role, by_caller));
}

enum sf_code sf_iam_evaluate(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                             struct sf_iam_answer *answer, struct sf_err *err)
{
    const struct sf_value *documents[] = {policies->identity, policies->resource, policies->boundary, policies->session};
    struct findings f[SF_COUNT(documents)] = {0};
    struct sf_iam_eval eval = {.arena = arena, .request = request, .has_boundary = sf_iam_count(policies->boundary) > 0};
    struct caller c = take_apart(request->principal);
    struct verdict deny = {0};
    *answer = (struct sf_iam_answer){.decision = SF_IAM_IMPLICITLY_DENIED, .source = ""};
    for (size_t i = 0; i < SF_COUNT(documents); i++) {
        enum sf_code rc = scan(&eval, &c, (enum layer)i, documents[i], &f[i], err);
        if (rc)
            return rc;
        deny = either(deny, f[i].deny);
    }
    /* STS API reference: needs no permission, and no Deny can take it away */
    if (sf_iam_equal_fold(request->action, SF_STR("sts:GetCallerIdentity"))) {
        answer->decision = SF_IAM_ALLOWED;
        return SF_OK;
    }
    if (deny.truth == SF_YES) {
        *answer = deny.by;
        answer->decision = SF_IAM_EXPLICITLY_DENIED;
        return SF_OK;
    }
    struct verdict allow = combine(request, &c, f);
    if (allow.truth == SF_NO)
        return SF_OK;
    bool is_certain = allow.truth == SF_YES && deny.truth == SF_NO;
    *answer = is_certain || allow.truth == SF_MAYBE ? allow.by : deny.by;
    answer->decision = is_certain ? SF_IAM_ALLOWED : SF_IAM_DEPENDS;
    if (!answer->source)
        answer->source = "";
    return SF_OK;
}

enum sf_code sf_iam_s3_allows(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                              const char *action, struct sf_str bucket_arn, struct sf_str key, struct sf_iam_answer *answer,
                              struct sf_err *err)
{
    struct sf_iam_request one = *request;
    one.action = sf_str_of(action);
    one.resource = key.n ? sf_str_fmt(arena, "%.*s/%.*s", SF_ARG(bucket_arn), SF_ARG(key)) : bucket_arn;
    return sf_iam_evaluate(arena, &one, policies, answer, err);
}
