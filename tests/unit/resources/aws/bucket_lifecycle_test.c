/* Lifecycle rules to S3's XML and back; what a stack file cannot say is told, not lost. */
#include "engine/core/json.h"
#include "engine/core/xml.h"
#include "resources/aws/bucket_lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sf_value *parse(struct sf_arena *arena, const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "rules.json", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static const struct sf_value *from_xml(struct sf_arena *arena, struct sf_str xml)
{
    const struct sf_value *reply = NULL;
    struct sf_str root;
    assert_int_equal(sf_xml_parse(arena, xml, &root, &reply, NULL), SF_OK);
    return sf_bucket_lifecycle_of(arena, reply);
}

static void every_rule_comes_back_as_it_was_put(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "[{\"abort_uploads_days\":7,\"id\":\"unfinished-uploads\",\"prefix\":\"\"}]",
        "[{\"expire_days\":3650,\"id\":\"a & b\",\"noncurrent_days\":30,\"prefix\":\"<in>/\"},"
        "{\"abort_uploads_days\":1,\"expire_days\":1,\"id\":\"c\",\"noncurrent_days\":1,\"prefix\":\"out/\"}]",
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const struct sf_value *back = from_xml(arena, sf_bucket_lifecycle_xml(arena, parse(arena, cases[i])));
        assert_string_equal(sf_json_text(arena, back, SF_JSON_PLAIN).p, cases[i]);
    }
    assert_int_equal(sf_bucket_lifecycle_of(arena, NULL)->list.n, 0);
    sf_arena_free(arena);
}

static void what_a_stack_file_cannot_say_is_told_in_the_id(void **state)
{
    (void)state;
#define RULE(rest) "<LifecycleConfiguration><Rule><ID>r</ID>" rest "</Rule></LifecycleConfiguration>"
#define ON "<Status>Enabled</Status>"
#define YEAR "<Expiration><Days>365</Days></Expiration>"
    static const struct {
        const char *xml, *rules;
    } cases[] = {
        {RULE("<Prefix>old/</Prefix>" ON YEAR), "[{\"expire_days\":365,\"id\":\"r\",\"prefix\":\"old/\"}]"},
        {RULE("<Filter/>" ON YEAR), "[{\"expire_days\":365,\"id\":\"r\",\"prefix\":\"\"}]"},
        {RULE("<Filter><And><Prefix>p</Prefix></And></Filter>" ON YEAR), "[{\"expire_days\":365,\"id\":\"r\",\"prefix\":\"p\"}]"},
        {RULE("<Filter><Prefix/></Filter><Status>Disabled</Status>" YEAR),
         "[{\"expire_days\":365,\"id\":\"r (with Status Disabled)\",\"prefix\":\"\"}]"},
        {RULE("<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>" ON YEAR),
         "[{\"expire_days\":365,\"id\":\"r (with Filter.Tag)\",\"prefix\":\"p\"}]"},
        {RULE("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>" ON
              "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
         "[{\"id\":\"r (with Filter.ObjectSizeLessThan, Transition)\",\"prefix\":\"\"}]"},
        {RULE("<Filter/>" ON
              "<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3"
              "</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
         "[{\"id\":\"r (with Expiration.Date, "
         "NoncurrentVersionExpiration.NewerNoncurrentVersions)\",\"noncurrent_days\":3,\"prefix\":"
         "\"\"}]"},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_string_equal(sf_json_text(arena, from_xml(arena, sf_str_of(cases[i].xml)), SF_JSON_PLAIN).p, cases[i].rules);
    sf_arena_free(arena);
}

static void a_rule_without_effect_and_an_id_used_twice_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *message;
    } cases[] = {
        {"[{\"id\":\"a\",\"prefix\":\"\",\"expire_days\":1},{\"id\":\"b\",\"expire_days\":1}]", NULL},
        {"[{\"id\":\"a\",\"prefix\":\"x\"}]", "the lifecycle rule 'a' does nothing"},
        {"[{\"id\":\"a\",\"expire_days\":1},{\"id\":\"a\",\"noncurrent_days\":1}]", "two lifecycle rules have the id 'a'"},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err err = {0};
        assert_int_equal(sf_bucket_lifecycle_check(parse(arena, cases[i].rules), &err), cases[i].message ? SF_E_CONFIG : SF_OK);
        assert_string_equal(err.message, cases[i].message ? cases[i].message : "");
    }
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_comes_back_as_it_was_put),
        cmocka_unit_test(what_a_stack_file_cannot_say_is_told_in_the_id),
        cmocka_unit_test(a_rule_without_effect_and_an_id_used_twice_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
