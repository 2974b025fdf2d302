/* See options.h. */
#include "engine/cli/options.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VERSION "0.1.0"

enum shape { FLAG, FLAG_FALSE, TEXT, LIST, VAR, VAR_FILE, NUMBER, SECONDS, AUTO_OR_SKIP };

struct option {
    const char *name;
    enum shape shape;
    unsigned programs;
    size_t offset;
    const char *value_name;
    const char *help;
};

#define ALL (SF_PLAN | SF_APPLY | SF_DESTROY_PROGRAM | SF_STATE)
#define CHANGING (SF_APPLY | SF_DESTROY_PROGRAM)
#define PLANNING (SF_PLAN | SF_APPLY | SF_DESTROY_PROGRAM)
#define AT(field) offsetof(struct sf_options, field)

static const struct option table[] = {
    {"f", TEXT, ALL, AT(file), "FILE", "stack file (default: stack.yaml, else the only *.yaml here with a `stack:` key)"},
    {"var", VAR, ALL, 0, "NAME=VALUE", "set a variable; the value is YAML: -var 'source={file: rows.csv}'"},
    {"var-file", VAR_FILE, ALL, 0, "FILE", "set variables from a YAML file"},
    {"provider", TEXT, ALL, AT(provider), "NAME", "local or aws, instead of the stack file's"},
    {"state", TEXT, ALL, AT(state), "FILE", "state store (default: .sf/<stack>/<provider>/state.db; also SF_STATE)"},
    {"out", TEXT, SF_PLAN, AT(out), "FILE", "save the plan; `sfapply FILE` then does exactly this"},
    {"target", LIST, PLANNING, AT(targets), "ADDRESS", "only this resource and what it needs; may be repeated"},
    {"replace", LIST, SF_PLAN | SF_APPLY, AT(replaces), "ADDRESS", "replace this resource; may be repeated"},
    {"accept-check", LIST, SF_APPLY, AT(accepted_checks), "NAME", "publish this once although the check fails; may be repeated"},
    {"junit", TEXT, SF_APPLY, AT(junit), "FILE", "write what became of each check to a JUnit file"},
    {"refresh", FLAG_FALSE, PLANNING, AT(no_refresh), "false", "with =false: trust state, read nothing"},
    {"data", AUTO_OR_SKIP, SF_PLAN | SF_APPLY, AT(is_data_skipped), "auto",
     "with =skip: no source is looked at; the rows are those that state records"},
    {"refresh-only", FLAG, SF_PLAN | SF_APPLY, AT(is_refresh_only), NULL,
     "only look what changed outside, and record it (sfapply)"},
    {"destroy", FLAG, SF_PLAN | SF_APPLY, AT(is_destroy), NULL, "plan to destroy everything"},
    {"detailed-exitcode", FLAG, SF_PLAN, AT(detailed_exitcode), NULL, "exit 2 when there are changes"},
    {"caller-policy", FLAG, SF_PLAN, AT(caller_policy), NULL, "print the IAM policy that the person who applies this stack needs"},
    {"json", FLAG, ALL, AT(json), NULL, "one JSON object a line on stdout"},
    {"csv", FLAG, SF_STATE, AT(csv), NULL, "query: CSV with a header line"},
    {"raw", FLAG, SF_STATE, AT(raw), NULL, "outputs: the bare value"},
    {"no-color", FLAG, ALL, AT(no_color), NULL, "no colours (also NO_COLOR)"},
    {"input", FLAG_FALSE, PLANNING, AT(no_input), "false", "with =false: never ask"},
    {"auto-approve", FLAG, CHANGING, AT(auto_approve), NULL, "do it without asking"},
    {"parallelism", NUMBER, PLANNING, AT(parallelism), "N", "calls at the same time (default 10)"},
    {"lock-timeout", SECONDS, CHANGING, AT(lock_wait_ms), "30s", "wait for another run to end"},
    {"help", FLAG, ALL, AT(wants_help), NULL, "this text"},
    {"h", FLAG, ALL, AT(wants_help), NULL, NULL},
    {"version", FLAG, ALL, AT(wants_version), NULL, "the version"},
};

const char *sf_program_name(enum sf_program program)
{
    switch (program) {
    case SF_PLAN:
        return "sfplan";
    case SF_APPLY:
        return "sfapply";
    case SF_DESTROY_PROGRAM:
        return "sfdestroy";
    case SF_STATE:
        return "sfstate";
    }
    return "sf";
}

void sf_options_help(enum sf_program program)
{
    static const struct {
        enum sf_program program;
        const char *usage;
    } usages[] = {
        {SF_PLAN, "usage: sfplan [options]\n\nShows what sfapply would change, and why. Changes nothing.\n"},
        {SF_APPLY,
         "usage: sfapply [options] [PLANFILE]\n\nMakes the world as the stack file says. Shows the plan first and asks.\n"},
        {SF_DESTROY_PROGRAM,
         "usage: sfdestroy [options]\n\nDestroys everything that this stack made. Shows the plan first and asks.\n"},
        {SF_STATE, "usage: sfstate [options] list | show ADDRESS | outputs [NAME] | history [ADDRESS]\n"
                   "       sfstate [options] query [ADDRESS] 'select ...'\n\nLooks inside state, and asks what the stack made. "
                   "Changes nothing.\n"},
    };
    for (size_t i = 0; i < SF_COUNT(usages); i++)
        if (usages[i].program == program)
            printf("%s\noptions (one or two dashes, = or a blank before the value):\n", usages[i].usage);
    for (size_t i = 0; i < SF_COUNT(table); i++) {
        if (!(table[i].programs & program) || !table[i].help)
            continue;
        char left[64];
        snprintf(left, sizeof(left), "-%s%s%s", table[i].name, table[i].value_name ? "=" : "",
                 table[i].value_name ? table[i].value_name : "");
        printf("  %-26s %s\n", left, table[i].help);
    }
    puts("\nexit codes: 0 success, 1 error, 2 changes (sfplan -detailed-exitcode), 3 data not published, 4 credentials,\n"
         "            5 locked, stale or another world's state, 6 outcome unknown: run again, 64 usage, 65 stack file invalid");
}

static const struct option *find_option(struct sf_str name, enum sf_program program)
{
    for (size_t i = 0; i < SF_COUNT(table); i++)
        if ((table[i].programs & program) && sf_str_is(name, table[i].name))
            return &table[i];
    return NULL;
}

static enum sf_code unknown_option(const char *arg, struct sf_str name, enum sf_program program, struct sf_err *err)
{
    const struct option *best = NULL;
    size_t best_distance = 3;
    for (size_t i = 0; i < SF_COUNT(table); i++) {
        size_t distance = sf_str_distance(name, sf_str_of(table[i].name));
        if ((table[i].programs & program) && distance < best_distance) {
            best_distance = distance;
            best = &table[i];
        }
    }
    sf_fail(err, SF_E_USAGE, "%s has no option '%s'", sf_program_name(program), arg);
    if (best)
        sf_hint(err, "did you mean '-%s'?", best->name);
    else
        sf_hint(err, "%s -help lists them", sf_program_name(program));
    return SF_E_USAGE;
}

static enum sf_code parse_bool(const char *arg, const char *value, bool *out, struct sf_err *err)
{
    if (!value || strcmp(value, "true") == 0)
        *out = true;
    else if (strcmp(value, "false") == 0)
        *out = false;
    else
        return sf_fail(err, SF_E_USAGE, "'%s' takes true or false, not '%s'", arg, value);
    return SF_OK;
}

static enum sf_code set_option(const struct option *option, const char *arg, const char *value, struct sf_options *out,
                               struct sf_err *err)
{
    void *field = (char *)out + option->offset;
    int64_t number = 0;
    bool flag = false;
    enum sf_code rc = SF_OK;
    switch (option->shape) {
    case FLAG:
    case FLAG_FALSE:
        rc = parse_bool(arg, value, &flag, err);
        *(bool *)field = option->shape == FLAG ? flag : !flag;
        return rc;
    case TEXT:
        *(const char **)field = value;
        return SF_OK;
    case LIST: {
        struct sf_str **list = field;
        size_t *n = option->offset == AT(targets)    ? &out->n_targets
                    : option->offset == AT(replaces) ? &out->n_replaces
                                                     : &out->n_accepted_checks;
        (*list)[(*n)++] = sf_str_of(value);
        return SF_OK;
    }
    case VAR:
    case VAR_FILE:
        if (option->shape == VAR && (!value || !strchr(value, '=')))
            return sf_fail(err, SF_E_USAGE, "-var takes NAME=VALUE, not '%s'", value);
        out->settings[out->n_settings++] = (struct sf_var_setting){sf_str_of(value), option->shape == VAR_FILE};
        return SF_OK;
    case AUTO_OR_SKIP:
        *(bool *)field = strcmp(value, "skip") == 0;
        if (!*(bool *)field && strcmp(value, "auto") != 0)
            return sf_fail(err, SF_E_USAGE, "'-%s' takes auto or skip, not '%s'", option->name, value);
        return SF_OK;
    case NUMBER:
        if (!sf_str_int64(sf_str_of(value), &number) || number < 1 || number > SF_MAX_WORKERS)
            return sf_fail(err, SF_E_USAGE, "'-%s' takes a number from 1 to %d, not '%s'", option->name, SF_MAX_WORKERS, value);
        *(int *)field = (int)number;
        return SF_OK;
    case SECONDS: {
        struct sf_str text = sf_str_of(value);
        int64_t unit = sf_str_ends(text, SF_STR("m")) ? 60000 : 1000;
        if (sf_str_ends(text, SF_STR("s")) || sf_str_ends(text, SF_STR("m")))
            text.n--;
        if (!sf_str_int64(text, &number) || number < 0 || number > 86400)
            return sf_fail(err, SF_E_USAGE, "'-%s' takes a time such as 30s or 5m, not '%s'", option->name, value);
        *(int64_t *)field = number * unit;
        return SF_OK;
    }
    }
    return SF_OK;
}

enum sf_code sf_options_parse(struct sf_arena *arena, enum sf_program program, int argc, char **argv, struct sf_options *out,
                              struct sf_err *err)
{
    size_t most = (size_t)argc + 1;
    *out = (struct sf_options){.program = program, .parallelism = 10};
    out->targets = SF_NEW_ARRAY(arena, most, struct sf_str);
    out->replaces = SF_NEW_ARRAY(arena, most, struct sf_str);
    out->accepted_checks = SF_NEW_ARRAY(arena, most, struct sf_str);
    out->settings = SF_NEW_ARRAY(arena, most, struct sf_var_setting);
    out->words = SF_NEW_ARRAY(arena, most, const char *);
    out->state = getenv("SF_STATE");
    const char *no_color = getenv("NO_COLOR");
    out->no_color = no_color && *no_color;
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (only_words || arg[0] != '-' || !arg[1]) {
            out->words[out->n_words++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_words = true;
            continue;
        }
        const char *name = arg + (arg[1] == '-' ? 2 : 1);
        const char *equals = strchr(name, '=');
        struct sf_str key = {name, equals ? (size_t)(equals - name) : strlen(name)};
        const struct option *option = find_option(key, program);
        if (!option)
            return unknown_option(arg, key, program, err);
        const char *value = equals ? equals + 1 : NULL;
        bool is_flag = option->shape == FLAG || option->shape == FLAG_FALSE;
        if (!value && !is_flag) {
            if (i + 1 >= argc)
                return sf_fail(err, SF_E_USAGE, "'%s' needs a value: -%s=%s", arg, option->name, option->value_name);
            value = argv[++i];
        }
        enum sf_code rc = set_option(option, arg, value, out, err);
        if (rc)
            return rc;
    }
    if (out->wants_help) {
        sf_options_help(program);
        exit(0);
    }
    if (out->wants_version) {
        printf("%s %s\n", sf_program_name(program), VERSION);
        exit(0);
    }
    if (program == SF_APPLY && out->n_words == 1)
        out->plan_file = out->words[0];
    else if (program != SF_STATE && out->n_words > 0)
        return sf_fail(err, SF_E_USAGE, "%s does not take '%s'", sf_program_name(program),
                       out->words[out->n_words - (program == SF_APPLY && out->n_words > 1 ? 1 : out->n_words)]);
    return SF_OK;
}

static bool has_stack_key(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof(line), file))
        found = strncmp(line, "stack:", 6) == 0;
    fclose(file);
    return found;
}

enum sf_code sf_options_find_stack(struct sf_arena *arena, struct sf_options *options, struct sf_err *err)
{
    if (options->file)
        return SF_OK;
    options->file = "stack.yaml";
    if (access(options->file, F_OK) == 0)
        return SF_OK;
    DIR *dir = opendir(".");
    const char *found = NULL;
    bool several = false;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct sf_str name = sf_str_of(entry->d_name);
        if (!sf_str_ends(name, SF_STR(".yaml")) || !has_stack_key(entry->d_name))
            continue;
        several |= found != NULL;
        found = sf_str_dup(arena, name).p;
    }
    if (dir)
        closedir(dir);
    if (several || !found) {
        sf_fail(err, SF_E_USAGE, several ? "several stack files are here" : "no stack file is here");
        sf_hint(err, "name it: %s -f FILE", sf_program_name(options->program));
        return SF_E_USAGE;
    }
    options->file = found;
    return SF_OK;
}
