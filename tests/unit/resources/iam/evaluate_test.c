/* The evaluator against the IAM user guide: "Policy evaluation logic", "JSON policy elements", "Condition operators", "Multivalued
 * context keys", "Policy variables". A case is one request and its policies as JSON, in the form that `sfprobe iam` reads. */
#include "engine/core/json.h"
#include "resources/iam/internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

static struct sf_arena *arena;

static const struct sf_value *parse(const char *text)
{
    const struct sf_value *v = NULL;
    struct sf_err err = {0};
    if (sf_json_parse(arena, sf_str_of(text), "case", SF_JSON_PLAIN, &v, &err))
        fail_msg("bad test case: %s\n%s", err.message, text);
    return v;
}

static enum sf_code run(const struct sf_value *root, struct sf_iam_answer *answer, struct sf_err *err)
{
    const struct sf_value *asked = sf_map_getz(root, "request");
    struct sf_iam_request request = {.action = sf_map_str(asked, "action"),
                                     .resource = sf_map_str(asked, "resource"),
                                     .resource_account = sf_map_str(asked, "account"),
                                     .principal = sf_map_getz(asked, "principal"),
                                     .context = sf_map_getz(asked, "context"),
                                     .is_context_complete = sf_map_getz(asked, "context") != NULL};
    struct sf_iam_policies policies = {.identity = sf_map_getz(root, "identity"),
                                       .resource = sf_map_getz(root, "resource"),
                                       .boundary = sf_map_getz(root, "boundary"),
                                       .session = sf_map_getz(root, "session")};
    return sf_iam_evaluate(arena, &request, &policies, answer, err);
}

struct test_case {
    const char *what, *expected, *json;
};

static void check_all(const struct test_case *cases, size_t n)
{
    size_t wrong = 0;
    arena = sf_arena_new();
    for (size_t i = 0; i < n; i++) {
        struct sf_iam_answer answer;
        struct sf_err err = {0};
        enum sf_code rc = run(parse(cases[i].json), &answer, &err);
        const char *got = rc ? "malformed" : sf_iam_decision_name(answer.decision);
        if (strcmp(got, cases[i].expected) == 0)
            continue;
        print_error("%s: %s instead of %s %s\n", cases[i].what, got, cases[i].expected, err.message);
        wrong++;
    }
    sf_arena_free(arena);
    assert_int_equal(wrong, 0);
}

#define USER "arn:aws:iam::111111111111:user/team/bob"
#define ROLE "arn:aws:iam::111111111111:role/path/loader"
#define SESSION "arn:aws:sts::111111111111:assumed-role/loader/one"
#define GET(principal)                                                                                                             \
    "\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/in/x\",\"principal\":\"" principal "\",\"context\":{}" \
    "}"
#define DOC(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ALLOW_GET "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/*\"}"
#define ALLOW_ALL "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}"
#define DENY_GET "{\"Effect\":\"Deny\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}"
#define IDENTITY(statements) "{" GET(USER) ",\"identity\":[" DOC(statements) "]}"
#define ONE(effect, rest) "{\"Effect\":\"" effect "\"," rest "}"

static void an_explicit_deny_wins_and_silence_is_an_implicit_deny(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"no policy at all", "implicitly denied", "{" GET(USER) "}"},
        {"an empty list of policies", "implicitly denied", "{" GET(USER) ",\"identity\":[]}"},
        {"an allow", "allowed", IDENTITY(ALLOW_GET)},
        {"an allow of something else", "implicitly denied",
         IDENTITY(ONE("Allow", "\"Action\":\"s3:PutObject\",\"Resource\":\"*\""))},
        {"deny after allow", "explicitly denied", IDENTITY(ALLOW_GET "," DENY_GET)},
        {"deny before allow", "explicitly denied", IDENTITY(DENY_GET "," ALLOW_GET)},
        {"deny in another policy", "explicitly denied", "{" GET(USER) ",\"identity\":[" DOC(ALLOW_ALL) "," DOC(DENY_GET) "]}"},
        {"a deny that does not match", "allowed",
         IDENTITY(ALLOW_GET "," ONE("Deny", "\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/out/*\""))},
        {"one statement without a list", "allowed",
         "{" GET(USER) ",\"identity\":{\"Version\":\"2012-10-17\",\"Statement\":" ALLOW_GET "}}"},
        {"nothing can take GetCallerIdentity away", "allowed",
         "{\"request\":{\"action\":\"sts:GetCallerIdentity\",\"resource\":\"*\",\"principal\":\"" USER
         "\",\"context\":{}},\"identity\":[" DOC("{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}") "]}"},
    };
    check_all(cases, SF_COUNT(cases));
}

static void wildcards_match_as_the_grammar_says(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"actions are case-blind", "allowed", IDENTITY(ONE("Allow", "\"Action\":\"S3:getobject\",\"Resource\":\"*\""))},
        {"a question mark is one character", "allowed", IDENTITY(ONE("Allow", "\"Action\":\"s3:Get?bject\",\"Resource\":\"*\""))},
        {"a question mark is not none", "implicitly denied",
         IDENTITY(ONE("Allow", "\"Action\":\"s3:GetObject?\",\"Resource\":\"*\""))},
        {"a star in the middle", "allowed", IDENTITY(ONE("Allow", "\"Action\":\"s3:*Object\",\"Resource\":\"*\""))},
        {"a dot is a dot", "implicitly denied", IDENTITY(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b.in/x\""))},
        {"resources are case-true", "implicitly denied",
         IDENTITY(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b/IN/*\""))},
        {"a star crosses slashes", "allowed", IDENTITY(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b*\""))},
        {"a short ARN ends in a star", "allowed", IDENTITY(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3*\""))},
        {"the bucket is not its objects", "implicitly denied",
         IDENTITY(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b\""))},
        {"objects are not the bucket", "implicitly denied",
         "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"arn:aws:s3:::b\",\"principal\":\"" USER
         "\",\"context\":{}},\"identity\":[" DOC(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b/*\"")) "]}"},
        {"one of several", "allowed",
         IDENTITY(ONE("Allow",
                      "\"Action\":[\"s3:PutObject\",\"s3:Get*\"],\"Resource\":[\"arn:aws:s3:::c/*\",\"arn:aws:s3:::b/in/*\"]"))},
    };
    check_all(cases, SF_COUNT(cases));
}

static void not_elements_mean_everything_but(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"NotAction of another", "allowed", IDENTITY(ONE("Allow", "\"NotAction\":\"iam:*\",\"Resource\":\"*\""))},
        {"NotAction of this", "implicitly denied", IDENTITY(ONE("Allow", "\"NotAction\":\"s3:*\",\"Resource\":\"*\""))},
        {"NotAction of a list with this", "implicitly denied",
         IDENTITY(ONE("Allow", "\"NotAction\":[\"iam:*\",\"s3:Get*\"],\"Resource\":\"*\""))},
        {"Deny NotAction", "explicitly denied",
         IDENTITY(ALLOW_ALL "," ONE("Deny", "\"NotAction\":[\"s3:List*\"],\"Resource\":\"*\""))},
        {"NotResource of another", "allowed",
         IDENTITY(ONE("Allow", "\"Action\":\"s3:*\",\"NotResource\":\"arn:aws:s3:::secret/*\""))},
        {"NotResource of this", "implicitly denied",
         IDENTITY(ONE("Allow", "\"Action\":\"s3:*\",\"NotResource\":\"arn:aws:s3:::b/*\""))},
        {"Deny NotResource", "explicitly denied",
         IDENTITY(ALLOW_ALL "," ONE("Deny", "\"Action\":\"s3:*\",\"NotResource\":\"arn:aws:s3:::c/*\""))},
        {"Deny NotResource of this", "allowed",
         IDENTITY(ALLOW_ALL "," ONE("Deny", "\"Action\":\"s3:*\",\"NotResource\":\"arn:aws:s3:::b/*\""))},
        {"Deny without Resource is read as everything", "explicitly denied",
         IDENTITY(ALLOW_ALL "," ONE("Deny", "\"Action\":\"s3:*\""))},
        {"Allow without Resource is read as nothing", "implicitly denied", IDENTITY(ONE("Allow", "\"Action\":\"s3:*\""))},
        {"both forms", "malformed", IDENTITY(ONE("Allow", "\"Action\":\"s3:*\",\"NotAction\":\"iam:*\",\"Resource\":\"*\""))},
        {"neither form", "malformed", IDENTITY(ONE("Allow", "\"Resource\":\"*\""))},
        {"no effect", "malformed", IDENTITY("{\"Action\":\"*\",\"Resource\":\"*\"}")},
        {"an action that is a number", "malformed", IDENTITY(ONE("Allow", "\"Action\":7,\"Resource\":\"*\""))},
    };
    check_all(cases, SF_COUNT(cases));
}

#define WHEN(condition, context)                                                                                                   \
    "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/in/x\",\"principal\":\"" USER                         \
    "\",\"context\":" context                                                                                                      \
    "},\"identity\":[" DOC("{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":" condition "}") "]}"

static void conditions_hold_as_their_operators_say(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"StringEquals", "allowed", WHEN("{\"StringEquals\":{\"aws:x\":\"a\"}}", "{\"aws:X\":\"a\"}")},
        {"StringEquals is case-true", "implicitly denied", WHEN("{\"StringEquals\":{\"aws:x\":\"A\"}}", "{\"aws:x\":\"a\"}")},
        {"StringEquals knows no wildcard", "implicitly denied",
         WHEN("{\"StringEquals\":{\"aws:x\":\"a*\"}}", "{\"aws:x\":\"ab\"}")},
        {"StringEqualsIgnoreCase", "allowed", WHEN("{\"StringEqualsIgnoreCase\":{\"aws:x\":\"A\"}}", "{\"aws:x\":\"a\"}")},
        {"StringLike", "allowed", WHEN("{\"StringLike\":{\"aws:x\":[\"q\",\"a*\"]}}", "{\"aws:x\":\"ab\"}")},
        {"StringNotLike of one of two", "implicitly denied",
         WHEN("{\"StringNotLike\":{\"aws:x\":[\"q\",\"a*\"]}}", "{\"aws:x\":\"ab\"}")},
        {"StringNotEquals", "allowed", WHEN("{\"StringNotEquals\":{\"aws:x\":[\"b\",\"c\"]}}", "{\"aws:x\":\"a\"}")},
        {"two keys must both hold", "implicitly denied",
         WHEN("{\"StringEquals\":{\"aws:x\":\"a\",\"aws:y\":\"b\"}}", "{\"aws:x\":\"a\",\"aws:y\":\"c\"}")},
        {"two operators must both hold", "implicitly denied",
         WHEN("{\"StringEquals\":{\"aws:x\":\"a\"},\"Bool\":{\"aws:SecureTransport\":\"true\"}}",
              "{\"aws:x\":\"a\",\"aws:SecureTransport\":\"false\"}")},
        {"Bool takes a JSON true", "allowed",
         WHEN("{\"Bool\":{\"aws:SecureTransport\":true}}", "{\"aws:SecureTransport\":\"true\"}")},
        {"IpAddress", "allowed",
         WHEN("{\"IpAddress\":{\"aws:SourceIp\":\"203.0.113.0/24\"}}", "{\"aws:SourceIp\":\"203.0.113.9\"}")},
        {"IpAddress beside", "implicitly denied",
         WHEN("{\"IpAddress\":{\"aws:SourceIp\":\"203.0.113.0/25\"}}", "{\"aws:SourceIp\":\"203.0.113.128\"}")},
        {"IpAddress, version 6", "allowed",
         WHEN("{\"IpAddress\":{\"aws:SourceIp\":\"2001:db8::/33\"}}", "{\"aws:SourceIp\":\"2001:db8:7f::1\"}")},
        {"NotIpAddress", "implicitly denied",
         WHEN("{\"NotIpAddress\":{\"aws:SourceIp\":[\"10.0.0.0/8\",\"203.0.113.9\"]}}", "{\"aws:SourceIp\":\"203.0.113.9\"}")},
        {"NumericLessThan", "allowed", WHEN("{\"NumericLessThan\":{\"aws:n\":\"10\"}}", "{\"aws:n\":9.5}")},
        {"NumericLessThan is not by text", "implicitly denied",
         WHEN("{\"NumericLessThan\":{\"aws:n\":\"9\"}}", "{\"aws:n\":\"10\"}")},
        {"NumericEquals", "allowed", WHEN("{\"NumericEquals\":{\"aws:n\":7}}", "{\"aws:n\":\"7.0\"}")},
        {"DateGreaterThan", "allowed",
         WHEN("{\"DateGreaterThan\":{\"aws:CurrentTime\":\"2026-01-01T00:00:00Z\"}}",
              "{\"aws:CurrentTime\":\"2026-01-01T00:00:01Z\"}")},
        {"dates know zones", "implicitly denied",
         WHEN("{\"DateLessThan\":{\"aws:CurrentTime\":\"2026-01-01T00:00:00Z\"}}",
              "{\"aws:CurrentTime\":\"2026-01-01T00:30:00+00:30\"}")},
        {"dates as seconds", "allowed", WHEN("{\"DateEquals\":{\"aws:EpochTime\":\"1970-01-02\"}}", "{\"aws:EpochTime\":86400}")},
        {"ArnLike goes by parts", "allowed",
         WHEN("{\"ArnLike\":{\"aws:SourceArn\":\"arn:aws:s3:*:*:b*\"}}", "{\"aws:SourceArn\":\"arn:aws:s3:::b1\"}")},
        {"ArnLike's star stays in its part", "implicitly denied",
         WHEN("{\"ArnLike\":{\"aws:SourceArn\":\"arn:*:b1\"}}", "{\"aws:SourceArn\":\"arn:aws:s3:::b1\"}")},
        {"Null true wants absence", "allowed", WHEN("{\"Null\":{\"aws:x\":\"true\"}}", "{}")},
        {"Null false wants presence", "implicitly denied", WHEN("{\"Null\":{\"aws:x\":\"false\"}}", "{}")},
        {"an absent key fails a positive operator", "implicitly denied", WHEN("{\"StringEquals\":{\"aws:x\":\"a\"}}", "{}")},
        {"an absent key passes a negated operator", "allowed", WHEN("{\"StringNotEquals\":{\"aws:x\":\"a\"}}", "{}")},
        {"an absent key passes IfExists", "allowed", WHEN("{\"StringEqualsIfExists\":{\"aws:x\":\"a\"}}", "{}")},
        {"a present key must hold with IfExists", "implicitly denied",
         WHEN("{\"StringEqualsIfExists\":{\"aws:x\":\"a\"}}", "{\"aws:x\":\"b\"}")},
        {"an operator that is none", "malformed", WHEN("{\"StringIs\":{\"aws:x\":\"a\"}}", "{}")},
    };
    check_all(cases, SF_COUNT(cases));
}

static void set_operators_quantify_over_the_request(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"ForAllValues, all", "allowed",
         WHEN("{\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"a\",\"b\"]}}", "{\"aws:TagKeys\":[\"a\",\"b\"]}")},
        {"ForAllValues, one too many", "implicitly denied",
         WHEN("{\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"a\",\"b\"]}}", "{\"aws:TagKeys\":[\"a\",\"c\"]}")},
        {"ForAllValues, absent", "allowed", WHEN("{\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"a\"]}}", "{}")},
        {"ForAllValues, empty", "allowed",
         WHEN("{\"ForAllValues:StringEquals\":{\"aws:TagKeys\":[\"a\"]}}", "{\"aws:TagKeys\":[]}")},
        {"ForAnyValue, one", "allowed",
         WHEN("{\"ForAnyValue:StringLike\":{\"aws:TagKeys\":\"a*\"}}", "{\"aws:TagKeys\":[\"c\",\"ab\"]}")},
        {"ForAnyValue, none", "implicitly denied",
         WHEN("{\"ForAnyValue:StringLike\":{\"aws:TagKeys\":\"a*\"}}", "{\"aws:TagKeys\":[\"c\"]}")},
        {"ForAnyValue, absent", "implicitly denied", WHEN("{\"ForAnyValue:StringEquals\":{\"aws:TagKeys\":\"a\"}}", "{}")},
        {"ForAnyValue of a negated operator, absent", "implicitly denied",
         WHEN("{\"ForAnyValue:StringNotEquals\":{\"aws:TagKeys\":\"a\"}}", "{}")},
        {"ForAllValues of a negated operator", "implicitly denied",
         WHEN("{\"ForAllValues:StringNotEquals\":{\"aws:TagKeys\":[\"a\"]}}", "{\"aws:TagKeys\":[\"b\",\"a\"]}")},
    };
    check_all(cases, SF_COUNT(cases));
}

static void what_is_not_known_depends(void **state)
{
    (void)state;
#define OPEN(statements)                                                                                                           \
    "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/in/x\",\"principal\":\"" USER                         \
    "\"},\"identity\":[" DOC(statements) "]}"
#define OFFICE(effect)                                                                                                             \
    ONE(effect, "\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}")
    static const struct test_case cases[] = {
        {"a condition on a key that is not known", "depends", OPEN(OFFICE("Allow"))},
        {"a null in the context", "depends", WHEN("{\"StringEquals\":{\"aws:x\":\"a\"}}", "{\"aws:x\":null}")},
        {"a possible deny", "depends", OPEN(ALLOW_GET "," OFFICE("Deny"))},
        {"a possible deny of what nobody allows", "implicitly denied", OPEN(OFFICE("Deny"))},
        {"another statement allows anyway", "allowed", OPEN(OFFICE("Allow") "," ALLOW_GET)},
        {"a certain deny", "explicitly denied", OPEN(OFFICE("Allow") "," DENY_GET)},
        {"what the principal tells is known", "allowed",
         OPEN(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:username\":\"bob\"}}"))},
        {"a variable that is not known", "depends",
         OPEN(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b/${Transfer:UserName}/*\""))},
    };
    check_all(cases, SF_COUNT(cases));
}

static void variables_stand_for_the_request_and_are_literal(void **state)
{
    (void)state;
#define VAR(resource, context)                                                                                                     \
    "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/home/bob/x\",\"principal\":\"" USER                   \
    "\",\"context\":" context "},\"identity\":[" DOC(ONE("Allow", "\"Action\":\"*\",\"Resource\":\"" resource "\"")) "]}"
    static const struct test_case cases[] = {
        {"aws:username from the ARN", "allowed", VAR("arn:aws:s3:::b/home/${aws:username}/*", "{}")},
        {"Transfer:UserName", "allowed", VAR("arn:aws:s3:::b/home/${Transfer:UserName}/*", "{\"Transfer:UserName\":\"bob\"}")},
        {"another user", "implicitly denied", VAR("arn:aws:s3:::b/home/${Transfer:UserName}/*", "{\"Transfer:UserName\":\"eve\"}")},
        {"a star in a value is a star", "implicitly denied",
         VAR("arn:aws:s3:::b/home/${Transfer:UserName}/*", "{\"Transfer:UserName\":\"*\"}")},
        {"absent", "implicitly denied", VAR("arn:aws:s3:::b/home/${Transfer:UserName}/*", "{}")},
        {"a default", "allowed", VAR("arn:aws:s3:::b/home/${Transfer:UserName, 'bob'}/*", "{}")},
        {"an escaped star is no wildcard", "implicitly denied", VAR("arn:aws:s3:::b/home/${*}", "{}")},
        {"no variables in version 2008-10-17", "implicitly denied",
         "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/bob\",\"principal\":\"" USER
         "\",\"context\":{}},\"identity\":[{\"Version\":\"2008-10-17\",\"Statement\":["
         "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"arn:aws:s3:::b/${aws:username}\"}]}]}"},
        {"in conditions too", "allowed",
         WHEN("{\"StringLike\":{\"s3:prefix\":\"home/${aws:username}/*\"}}", "{\"s3:prefix\":\"home/bob/a\"}")},
    };
    check_all(cases, SF_COUNT(cases));
}

#define BUCKET_POLICY(effect, principal)                                                                                           \
    "\"resource\":" DOC("{\"Effect\":\"" effect "\",\"Principal\":" principal                                                      \
                        ",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/*\"}")

static void resource_policies_name_principals(void **state)
{
    (void)state;
    static const struct test_case cases[] = {
        {"the user himself", "allowed", "{" GET(USER) "," BUCKET_POLICY("Allow", "{\"AWS\":\"" USER "\"}") "}"},
        {"another user", "implicitly denied",
         "{" GET(USER) "," BUCKET_POLICY("Allow", "{\"AWS\":\"arn:aws:iam::111111111111:user/eve\"}") "}"},
        {"everybody", "allowed", "{" GET(USER) "," BUCKET_POLICY("Allow", "\"*\"") "}"},
        {"the account leaves it to the account", "implicitly denied",
         "{" GET(USER) "," BUCKET_POLICY("Allow", "{\"AWS\":\"111111111111\"}") "}"},
        {"the account's root is the account", "explicitly denied",
         "{" GET(USER) ",\"identity\":[" DOC(ALLOW_ALL) "]," BUCKET_POLICY("Deny",
                                                                           "{\"AWS\":\"arn:aws:iam::111111111111:root\"}") "}"},
        {"a role means its sessions", "allowed", "{" GET(SESSION) "," BUCKET_POLICY("Allow", "{\"AWS\":\"" ROLE "\"}") "}"},
        {"a session is not another session", "implicitly denied",
         "{" GET(SESSION) "," BUCKET_POLICY("Allow", "{\"AWS\":\"arn:aws:sts::111111111111:assumed-role/loader/two\"}") "}"},
        {"another account needs both", "implicitly denied",
         "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/"
         "x\",\"account\":\"222222222222\",\"principal\":\"" USER "\",\"context\":{}},\"identity\":[" DOC(ALLOW_ALL) "]}"},
        {"another account has both", "allowed",
         "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/"
         "x\",\"account\":\"222222222222\",\"principal\":\"" USER
         "\",\"context\":{}},\"identity\":[" DOC(ALLOW_ALL) "]," BUCKET_POLICY("Allow", "{\"AWS\":\"111111111111\"}") "}"},
        {"another account with the bucket's word only", "implicitly denied",
         "{\"request\":{\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/"
         "x\",\"account\":\"222222222222\",\"principal\":\"" USER
         "\",\"context\":{}}," BUCKET_POLICY("Allow", "{\"AWS\":\"" USER "\"}") "}"},
        {"NotPrincipal spares whom it names", "allowed",
         "{" GET(USER) ",\"identity\":[" DOC(ALLOW_ALL) "],\"resource\":" DOC(
             "{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"" USER "\"},\"Action\":\"*\",\"Resource\":\"*\"}") "}"},
        {"NotPrincipal hits the others", "explicitly denied",
         "{" GET(SESSION) ",\"identity\":[" DOC(ALLOW_ALL) "],\"resource\":" DOC(
             "{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"" USER "\"},\"Action\":\"*\",\"Resource\":\"*\"}") "}"},
        {"a resource policy without a principal", "malformed", "{" GET(USER) ",\"resource\":" DOC(ALLOW_ALL) "}"},
    };
    check_all(cases, SF_COUNT(cases));
}

static void trust_policies_say_who_may_assume_a_role(void **state)
{
    (void)state;
#define ASSUME(principal)                                                                                                          \
    "\"request\":{\"action\":\"sts:AssumeRole\",\"resource\":\"" ROLE "\",\"principal\":" principal ",\"context\":{}}"
#define TRUST(principal) "\"resource\":" DOC("{\"Effect\":\"Allow\",\"Principal\":" principal ",\"Action\":\"sts:AssumeRole\"}")
    static const struct test_case cases[] = {
        {"a service", "allowed",
         "{" ASSUME("{\"Service\":\"transfer.amazonaws.com\"}") "," TRUST(
             "{\"Service\":[\"ec2.amazonaws.com\",\"transfer.amazonaws.com\"]}") "}"},
        {"a service by its bare name", "allowed",
         "{" ASSUME("\"redshift.amazonaws.com\"") "," TRUST("{\"Service\":\"redshift.amazonaws.com\"}") "}"},
        {"another service", "implicitly denied",
         "{" ASSUME("{\"Service\":\"redshift.amazonaws.com\"}") "," TRUST("{\"Service\":\"transfer.amazonaws.com\"}") "}"},
        {"an identity policy alone is not enough", "implicitly denied",
         "{" ASSUME("\"" USER "\"") ",\"identity\":[" DOC(ALLOW_ALL) "]}"},
        {"the account trusts, the policy allows", "allowed",
         "{" ASSUME("\"" USER "\"") ",\"identity\":[" DOC(ALLOW_ALL) "]," TRUST("{\"AWS\":\"111111111111\"}") "}"},
        {"the account trusts, no policy allows", "implicitly denied",
         "{" ASSUME("\"" USER "\"") "," TRUST("{\"AWS\":\"111111111111\"}") "}"},
    };
    check_all(cases, SF_COUNT(cases));
}

static void boundaries_and_sessions_limit_and_never_grant(void **state)
{
    (void)state;
#define EC2 "{\"Effect\":\"Allow\",\"Action\":\"ec2:*\",\"Resource\":\"*\"}"
    static const struct test_case cases[] = {
        {"a boundary that allows", "allowed", "{" GET(ROLE) ",\"identity\":[" DOC(ALLOW_GET) "],\"boundary\":" DOC(ALLOW_ALL) "}"},
        {"a boundary that is silent", "implicitly denied",
         "{" GET(ROLE) ",\"identity\":[" DOC(ALLOW_GET) "],\"boundary\":" DOC(EC2) "}"},
        {"a boundary grants nothing", "implicitly denied", "{" GET(ROLE) ",\"boundary\":" DOC(ALLOW_ALL) "}"},
        {"a boundary that denies", "explicitly denied",
         "{" GET(ROLE) ",\"identity\":[" DOC(ALLOW_GET) "],\"boundary\":" DOC(ALLOW_ALL "," DENY_GET) "}"},
        {"an empty list of boundaries is none", "allowed", "{" GET(ROLE) ",\"identity\":[" DOC(ALLOW_GET) "],\"boundary\":[]}"},
        {"a session policy that is silent", "implicitly denied",
         "{" GET(SESSION) ",\"identity\":[" DOC(ALLOW_GET) "],\"session\":" DOC(EC2) "}"},
        {"a session policy grants nothing", "implicitly denied", "{" GET(SESSION) ",\"session\":" DOC(ALLOW_ALL) "}"},
        {"a grant to the role stays inside the boundary", "implicitly denied",
         "{" GET(SESSION) ",\"boundary\":" DOC(EC2) "," BUCKET_POLICY("Allow", "{\"AWS\":\"" ROLE "\"}") "}"},
        {"a grant to the session passes the boundary by", "allowed",
         "{" GET(SESSION) ",\"boundary\":" DOC(EC2) "," BUCKET_POLICY("Allow", "{\"AWS\":\"" SESSION "\"}") "}"},
        {"a grant to the user passes the boundary by", "allowed",
         "{" GET(USER) ",\"boundary\":" DOC(EC2) "," BUCKET_POLICY("Allow", "{\"AWS\":\"" USER "\"}") "}"},
        {"NotPrincipal with Deny hits all who have a boundary", "explicitly denied",
         "{" GET(USER) ",\"identity\":[" DOC(ALLOW_ALL) "],\"boundary\":" DOC(ALLOW_ALL) ",\"resource\":" DOC(
             "{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"" USER "\"},\"Action\":\"*\",\"Resource\":\"*\"}") "}"},
    };
    check_all(cases, SF_COUNT(cases));
}

static void the_answer_names_the_deciding_statement(void **state)
{
    (void)state;
    struct sf_iam_answer answer;
    struct sf_err err = {0};
    arena = sf_arena_new();
    assert_int_equal(run(parse("{" GET(USER) ",\"identity\":[" DOC(EC2) "," DOC(EC2 "," ALLOW_GET) "]}"), &answer, &err), SF_OK);
    assert_string_equal(answer.source, "identity policy");
    assert_int_equal(answer.policy, 1);
    assert_int_equal(answer.index, 1);
    assert_int_equal(run(parse(OPEN(OFFICE("Allow"))), &answer, &err), SF_OK);
    assert_true(sf_str_is(answer.unknown, "aws:SourceIp"));
    sf_arena_free(arena);
}

static void unknown_attributes_of_a_plan_make_it_depend(void **state)
{
    (void)state;
    arena = sf_arena_new();
    struct sf_value *statement = sf_value_map(arena), *document = sf_value_map(arena);
    sf_map_set_str(arena, statement, "Effect", SF_STR("Allow"));
    sf_map_set_str(arena, statement, "Action", SF_STR("*"));
    sf_map_set(arena, statement, SF_STR("Resource"), sf_value_unknown(arena, SF_STR("sftp.id")));
    sf_map_set(arena, document, SF_STR("Statement"), statement);
    struct sf_iam_request request = {.action = SF_STR("s3:GetObject"), .resource = SF_STR("arn:aws:s3:::b/x")};
    struct sf_iam_policies policies = {.identity = document};
    struct sf_iam_answer answer;
    assert_int_equal(sf_iam_evaluate(arena, &request, &policies, &answer, NULL), SF_OK);
    assert_int_equal(answer.decision, SF_IAM_DEPENDS);
    assert_true(sf_str_is(answer.unknown, "sftp.id"));
    sf_arena_free(arena);
}

static void hostile_patterns_cost_no_more_than_their_product(void **state)
{
    (void)state;
    arena = sf_arena_new();
    struct sf_buf text = SF_BUF(100000), pattern = SF_BUF(100000);
    for (int i = 0; i < 20000; i++)
        sf_buf_addc(&text, 'a');
    for (int i = 0; i < 2000; i++)
        sf_buf_addz(&pattern, "*a");
    sf_buf_addc(&pattern, 'b');
    struct sf_iam_request request = {0};
    struct sf_iam_eval eval = {.arena = arena, .request = &request};
    struct sf_iam_pattern compiled;
    assert_int_equal(sf_iam_compile(&eval, sf_buf_str(&pattern), true, &compiled), SF_YES);
    clock_t start = clock();
    assert_false(sf_iam_match(&compiled, sf_buf_str(&text), false));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5.0);
    sf_buf_free(&text);
    sf_buf_free(&pattern);
    sf_arena_free(arena);
}

/* Against a plain recursive definition, over every short pattern and text. */
static bool by_definition(const char *p, const char *s)
{
    if (!*p)
        return !*s;
    if (*p == '*')
        return by_definition(p + 1, s) || (*s && by_definition(p, s + 1));
    return *s && (*p == '?' || *p == *s) && by_definition(p + 1, s + 1);
}

static void matching_agrees_with_its_definition_on_all_short_words(void **state)
{
    (void)state;
    static const char letters[] = {'a', 'b', '*', '?'};
    arena = sf_arena_new();
    struct sf_iam_request request = {0};
    struct sf_iam_eval eval = {.arena = arena, .request = &request};
    for (unsigned p = 0; p < 4096; p++) {
        char pattern[7] = {0};
        for (unsigned i = 0, rest = p; i < 6; i++, rest /= 4)
            pattern[i] = letters[rest % 4];
        for (unsigned length = 3; length <= 6; length += 3) {
            pattern[length] = 0;
            struct sf_iam_pattern compiled;
            assert_int_equal(sf_iam_compile(&eval, sf_str_of(pattern), true, &compiled), SF_YES);
            for (unsigned t = 0; t < 64; t++) {
                char text[7] = {0};
                for (unsigned i = 0; i < t / 8 % 7; i++)
                    text[i] = letters[t >> (i % 3) & 1];
                if (sf_iam_match(&compiled, sf_str_of(text), false) != by_definition(pattern, text))
                    fail_msg("'%s' against '%s'", pattern, text);
            }
            pattern[length] = letters[p % 4];
        }
    }
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_explicit_deny_wins_and_silence_is_an_implicit_deny),
        cmocka_unit_test(wildcards_match_as_the_grammar_says),
        cmocka_unit_test(not_elements_mean_everything_but),
        cmocka_unit_test(conditions_hold_as_their_operators_say),
        cmocka_unit_test(set_operators_quantify_over_the_request),
        cmocka_unit_test(what_is_not_known_depends),
        cmocka_unit_test(variables_stand_for_the_request_and_are_literal),
        cmocka_unit_test(resource_policies_name_principals),
        cmocka_unit_test(trust_policies_say_who_may_assume_a_role),
        cmocka_unit_test(boundaries_and_sessions_limit_and_never_grant),
        cmocka_unit_test(the_answer_names_the_deciding_statement),
        cmocka_unit_test(unknown_attributes_of_a_plan_make_it_depend),
        cmocka_unit_test(hostile_patterns_cost_no_more_than_their_product),
        cmocka_unit_test(matching_agrees_with_its_definition_on_all_short_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
