/* The reviews, in the order they are shown. */
#include "resources/review/reviews.h"

const struct sf_review *const sf_reviews[] = {&sf_review_data, &sf_review_cost, NULL};
