/* Where the protocols keep an error's code, message and request id. */
#ifndef SF_AWS_FAULT_H
#define SF_AWS_FAULT_H

#include "resources/aws/client/internal.h"

struct sf_aws_fault_text {
    struct sf_str code;    /* without namespace and ":http://..." suffix; of a reply without a body by its status: "NotFound" */
    struct sf_str message; /* as sent: not yet fit to be shown */
    struct sf_str request_id;
    struct sf_str region;   /* S3: where the bucket is, when it is said */
    int64_t retry_after_ms; /* 0: not said */
};

/* False: the reply is not the service's own (fault->request_id is set all the same). `now_ms`: wall clock, for dates. */
bool sf_aws_fault_read(struct sf_arena *arena, const struct sf_aws_sent *sent, int64_t now_ms, struct sf_aws_fault_text *fault);

/* Whether the body is a web page; *title (may be NULL) is what it calls itself. */
bool sf_aws_is_web_page(struct sf_str body, struct sf_str *title);

#endif
