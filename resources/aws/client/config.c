/* See config.h. A file that is not there is an empty one; a file that is there and cannot be read is an error, since the run would
 * otherwise go to another account than the person meant. */
#include "resources/aws/client/config.h"

#include "resources/aws/client/ini.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 4 * 1024 * 1024 };

static struct sf_str env(const char *name)
{
    return sf_str_of(getenv(name));
}

struct sf_str sf_aws_home_path(struct sf_arena *arena, struct sf_str path)
{
    if (!sf_str_starts(path, SF_STR("~/")))
        return sf_str_dup(arena, path);
    struct sf_str home = env("HOME");
    if (!home.n) {
        struct passwd entry, *found = NULL;
        char *text = sf_arena_alloc(arena, 16384);
        if (getpwuid_r(getuid(), &entry, text, 16384, &found) == 0 && found)
            home = sf_str_of(found->pw_dir);
    }
    return sf_str_fmt(arena, "%.*s%.*s", SF_ARG(home), SF_ARG(sf_str_slice(path, 1, path.n)));
}

static enum sf_code read_text(const char *path, struct sf_buf *text, struct sf_err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return SF_OK;
    if (fd < 0)
        return sf_fail_errno(err, SF_E_CONFIG, "cannot read '%s'", path);
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return SF_OK; /* /dev/null is a common way to say: none */
    }
    char chunk[16 * 1024];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof(chunk))) > 0 && !text->overflow)
        sf_buf_add(text, (struct sf_str){chunk, (size_t)got});
    int cause = errno;
    close(fd);
    OPENSSL_cleanse(chunk, sizeof(chunk));
    errno = cause;
    if (got < 0)
        return sf_fail_errno(err, SF_E_CONFIG, "cannot read '%s'", path);
    if (text->overflow)
        return sf_fail(err, SF_E_CONFIG, "'%s' is larger than %d bytes", path, (int)MAX_FILE_BYTES);
    return SF_OK;
}

static enum sf_code load_file(struct sf_arena *arena, const char *variable, const char *otherwise, const struct sf_value **sections,
                              struct sf_err *err)
{
    struct sf_str named = env(variable);
    const char *path = sf_aws_home_path(arena, named.n ? named : sf_str_of(otherwise)).p;
    struct sf_buf text = SF_BUF(MAX_FILE_BYTES);
    enum sf_code rc = read_text(path, &text, err);
    if (!rc)
        rc = sf_ini_parse(arena, sf_buf_str(&text), path, sections, err);
    if (text.p)
        OPENSSL_cleanse(text.p, text.cap);
    sf_buf_free(&text);
    return rc;
}

/* The config file's sections by what their names begin with. Source: build_profile_map(). */
static void sort_sections(struct sf_arena *arena, const struct sf_value *sections, struct sf_aws_config *config)
{
    struct sf_value *profiles = sf_value_map(arena), *sessions = sf_value_map(arena), *services = sf_value_map(arena);
    const struct {
        struct sf_str prefix;
        struct sf_value *into;
    } kinds[] = {{SF_STR("profile"), profiles}, {SF_STR("sso-session"), sessions}, {SF_STR("services"), services}};
    for (size_t i = 0; i < sections->map.n; i++) {
        struct sf_str name = sections->map.pairs[i].key, *words;
        size_t n;
        if (sf_str_is(name, "default"))
            sf_map_set(arena, profiles, name, sections->map.pairs[i].value);
        for (size_t k = 0; k < SF_COUNT(kinds); k++) {
            if (!sf_str_starts(name, kinds[k].prefix))
                continue;
            if (sf_shell_words(arena, name, &words, &n) && n == 2)
                sf_map_set(arena, kinds[k].into, words[1], sections->map.pairs[i].value);
            break;
        }
    }
    config->config_profiles = profiles;
    config->sessions = sessions;
    config->services = services;
}

/* Both files' profiles: settings of the credentials file win. */
static const struct sf_value *merge(struct sf_arena *arena, const struct sf_value *under, const struct sf_value *over)
{
    struct sf_value *all = sf_value_map(arena);
    const struct sf_value *both[] = {under, over};
    for (size_t f = 0; f < SF_COUNT(both); f++) {
        for (size_t i = 0; i < both[f]->map.n; i++) {
            const struct sf_pair *profile = &both[f]->map.pairs[i];
            struct sf_value *into = (struct sf_value *)(uintptr_t)sf_map_get(all, profile->key);
            if (!into) {
                into = sf_value_map(arena);
                sf_map_add(arena, all, profile->key, into);
            }
            for (size_t k = 0; k < profile->value->map.n; k++)
                sf_map_set(arena, into, profile->value->map.pairs[k].key, profile->value->map.pairs[k].value);
        }
    }
    return all;
}

static const struct sf_value *read_overrides(struct sf_arena *arena)
{
    static const char PREFIX[] = "AWS_ENDPOINT_URL";
    struct sf_value *overrides = sf_value_map(arena);
    for (char **entry = environ; entry && *entry; entry++) {
        struct sf_str line = sf_str_of(*entry);
        size_t equals = sf_str_find(line, SF_STR("="));
        if (equals != SIZE_MAX && sf_str_starts(line, sf_str_of(PREFIX)) && equals + 1 < line.n)
            sf_map_set(arena, overrides, sf_str_dup(arena, sf_str_slice(line, 0, equals)),
                       sf_value_str(arena, sf_str_slice(line, equals + 1, line.n)));
    }
    return overrides;
}

static enum sf_code refuse_profile(const struct sf_aws_config *config, struct sf_err *err)
{
    struct sf_buf names = SF_BUF(400);
    for (size_t i = 0; i < config->profiles->map.n; i++)
        sf_buf_addf(&names, "%s%.*s", i ? ", " : "", SF_ARG(config->profiles->map.pairs[i].key));
    sf_fail(err, SF_E_CONFIG, "there is no AWS profile '%.*s'", SF_ARG(config->profile));
    if (names.n)
        sf_hint(err, "profiles there are: %s%s", names.p, names.overflow ? ", ..." : "");
    else
        sf_hint(err, "no profile is configured: run `aws configure --profile %.*s`", SF_ARG(config->profile));
    sf_buf_free(&names);
    return SF_E_CONFIG;
}

static struct sf_str first_of(const struct sf_str *choices, size_t n, size_t *which)
{
    for (*which = 0; *which < n; (*which)++) {
        if (choices[*which].n)
            return choices[*which];
    }
    return SF_STR_NONE;
}

static bool is_true(struct sf_str s)
{
    return s.n == 4 && strncasecmp(s.p, "true", 4) == 0;
}

struct sf_str sf_aws_config_get(const struct sf_aws_config *config, const char *key)
{
    return sf_map_str(sf_map_get(config->profiles, config->profile), key);
}

struct sf_str sf_aws_config_ask(const struct sf_aws_config *config, const char *variable, const char *key)
{
    struct sf_str set = env(variable);
    return set.n ? set : sf_aws_config_get(config, key);
}

enum sf_code sf_aws_config_load(struct sf_arena *arena, const struct sf_value *settings, struct sf_aws_config *config,
                                struct sf_err *err)
{
    const struct sf_value *config_file = NULL, *credentials_file = NULL;
    *config = (struct sf_aws_config){.profile = SF_STR("default")};
    enum sf_code rc = load_file(arena, "AWS_CONFIG_FILE", "~/.aws/config", &config_file, err);
    if (!rc)
        rc = load_file(arena, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", &credentials_file, err);
    if (rc)
        return rc;
    sort_sections(arena, config_file, config);
    config->credentials_profiles = credentials_file;
    config->profiles = merge(arena, config->config_profiles, credentials_file);
    config->overrides = read_overrides(arena);

    size_t which;
    const struct sf_str named[] = {sf_map_str(settings, "profile"), env("AWS_PROFILE"), env("AWS_DEFAULT_PROFILE")};
    struct sf_str profile = first_of(named, SF_COUNT(named), &which);
    if (profile.n) {
        config->profile = sf_str_dup(arena, profile);
        config->is_profile_explicit = true;
        config->is_profile_of_stack = which == 0;
        if (!sf_map_get(config->profiles, profile))
            return refuse_profile(config, err);
    }
    const struct sf_str regions[] = {sf_map_str(settings, "region"), env("AWS_REGION"), env("AWS_DEFAULT_REGION"),
                                     sf_aws_config_get(config, "region")};
    config->region = sf_str_dup(arena, first_of(regions, SF_COUNT(regions), &which));
    config->use_fips = is_true(sf_aws_config_ask(config, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"));
    config->use_dualstack = is_true(sf_aws_config_ask(config, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"));
    config->ignores_overrides =
        is_true(sf_aws_config_ask(config, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"));
    return SF_OK;
}
