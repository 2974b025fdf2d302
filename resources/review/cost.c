/* The section "Cost": what stands on AWS by the hour. On-demand prices of US East in ten-thousandths of a dollar, second-hand:
 * Transfer Family of 2026-09-20, ra3.large of 2026-10-07, a secret of 2026, an RPU by AWS's announcement of 4 RPUs at $1.50 an
 * hour. What has no such source has no price here, and that is said. Storage, requests and traffic are not in it. */
#include "attr/cluster.h"
#include "attr/sftp_server.h"
#include "resources/review/reviews.h"

enum { HOURS_A_MONTH = 730, SERVER_PRICE = 3000, NODE_PRICE = 5430, RPU_PRICE = 3750, USUAL_RPUS = 8, SECRET_PRICE = 4000 };

static const char priced_node[] = "ra3.large";

/* 0: not known. */
static int64_t node_price(struct sf_str node_type)
{
    return !node_type.n || sf_str_is(node_type, priced_node) ? NODE_PRICE : 0;
}

static bool is_serverless(const struct sf_value *attrs)
{
    const struct sf_value *v = sf_map_getz(attrs, CLUSTER_SERVERLESS);
    return v && v->type == SF_V_MAP;
}

/* Whether it stands by the hour at a price that is not known here. */
static bool is_unpriced(struct sf_str kind, const struct sf_value *attrs)
{
    return attrs && sf_str_is(kind, "cluster") && !is_serverless(attrs) && sf_map_bool(attrs, CLUSTER_RUNNING, true) &&
           !node_price(sf_map_str(attrs, CLUSTER_NODE_TYPE));
}

/* By the hour, whether it is used or not. */
static int64_t standing(struct sf_str kind, const struct sf_value *attrs)
{
    if (!attrs)
        return 0;
    if (sf_str_is(kind, "sftp_server"))
        return SERVER_PRICE;
    if (!sf_str_is(kind, "cluster") || is_serverless(attrs) || !sf_map_bool(attrs, CLUSTER_RUNNING, true))
        return 0;
    return node_price(sf_map_str(attrs, CLUSTER_NODE_TYPE)) * sf_map_int(attrs, CLUSTER_NUMBER_OF_NODES, 1);
}

static void add_dollars(struct sf_buf *out, int64_t price)
{
    sf_buf_addf(out, "$%lld.%02lld", (long long)(price / 10000), (long long)(price % 10000 / 100));
    if (price % 100)
        sf_buf_addf(out, "%02lld", (long long)(price % 100));
}

static void add_rate(struct sf_buf *out, int64_t price)
{
    add_dollars(out, price);
    sf_buf_addz(out, " an hour, ");
    add_dollars(out, price * HOURS_A_MONTH);
    sf_buf_addz(out, " in a month if it is forgotten");
}

static bool costs(const struct sf_site *site)
{
    return sf_str_is(site->provider, "aws");
}

static void head(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out)
{
    int64_t before = 0, after = 0;
    bool has_serverless = false, has_unpriced = false;
    if (!costs(site))
        return;
    for (size_t i = 0; i < n; i++) {
        before += standing(items[i].kind, items[i].before);
        after += standing(items[i].kind, items[i].after);
        has_unpriced |= is_unpriced(items[i].kind, items[i].after);
        has_serverless |= items[i].after && sf_str_is(items[i].kind, "cluster") && is_serverless(items[i].after);
    }
    if (!before && !after && !has_serverless && !has_unpriced)
        return;
    sf_buf_addz(out, "Cost ");
    if (after)
        add_rate(out, after);
    else
        sf_buf_addz(out, has_unpriced ? "not known" : "nothing by the hour");
    if (before != after) {
        sf_buf_addz(out, " (now ");
        add_dollars(out, before);
        sf_buf_addz(out, " an hour)");
    }
    if (has_serverless)
        sf_buf_addz(out, "; and the serverless warehouse while it is queried");
    if (has_unpriced)
        sf_buf_addz(out, "; and nodes whose price is not known here");
    sf_buf_addc(out, '\n');
}

/* Says why there is one, too: it is the one thing on AWS that no line of the stack file names. */
static void add_secret(const struct sf_review_item *item, struct sf_buf *out)
{
    if (!sf_str_is(sf_map_str(item->after, CLUSTER_LOGIN), "kept_secret"))
        return;
    sf_buf_addf(out, "  %.*s: ", SF_ARG(item->address));
    add_dollars(out, SECRET_PRICE);
    sf_buf_addz(out, " a month for its password in Secrets Manager, where statements take it from\n");
}

static void describe(const struct sf_review_item *item, struct sf_buf *out)
{
    const struct sf_value *attrs = item->after;
    bool is_server = sf_str_is(item->kind, "sftp_server"), is_cluster = sf_str_is(item->kind, "cluster");
    if (!is_server && !is_cluster)
        return;
    sf_buf_addf(out, "  %.*s: ", SF_ARG(item->address));
    if (is_server) {
        add_rate(out, SERVER_PRICE);
        sf_buf_addz(out, ", stopped or running; $0.04 a GB\n");
        return;
    }
    if (is_serverless(attrs)) {
        int64_t rpus = sf_map_int(sf_map_getz(attrs, CLUSTER_SERVERLESS), "base_rpus", USUAL_RPUS);
        sf_buf_addz(out, "nothing while idle; ");
        add_dollars(out, rpus * RPU_PRICE);
        sf_buf_addf(out, " an hour while it is queried (%lld RPUs, by the second, a minute at least)\n", (long long)rpus);
        add_secret(item, out);
        return;
    }
    int64_t price = standing(item->kind, attrs);
    if (price) {
        add_rate(out, price);
        sf_buf_addc(out, '\n');
    } else if (!sf_map_bool(attrs, CLUSTER_RUNNING, true)) {
        sf_buf_addz(out, "paused: storage only\n");
    } else {
        sf_buf_addf(out, "the price of %.*s is not known here\n", SF_ARG(sf_map_str(attrs, CLUSTER_NODE_TYPE)));
    }
}

static void write_cost(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out)
{
    size_t empty = out->n;
    if (!costs(site))
        return;
    for (size_t i = 0; i < n; i++)
        if (items[i].after && strcmp(items[i].action, "no-op") != 0)
            describe(&items[i], out);
    if (out->n > empty)
        sf_buf_addz(out, "  (on-demand prices of US East, autumn of 2026; storage, requests and traffic come on top)\n");
}

const struct sf_review sf_review_cost = {.title = "Cost", .write = write_cost, .head = head};
