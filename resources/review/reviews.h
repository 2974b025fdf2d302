/* Reviews: each looks at the whole planned graph and writes a section. Pure. */
#ifndef SF_REVIEW_REVIEWS_H
#define SF_REVIEW_REVIEWS_H

#include "engine/kind.h"

/* What the data kinds would change: rows, years, signed totals before and after. */
extern const struct sf_review sf_review_data;
/* What stands on AWS by the hour, and what a forgotten month of it comes to. */
extern const struct sf_review sf_review_cost;

#endif
