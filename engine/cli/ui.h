/* What a person sees while a program runs: progress lines on stderr, errors, the question. stdout is the product. */
#ifndef SF_CLI_UI_H
#define SF_CLI_UI_H

#include "engine/cli/options.h"
#include "engine/cli/progress.h"
#include "engine/cli/render.h"

struct sf_ui {
    const struct sf_options *options;
    bool out_color, err_color;
    struct sf_progress_display progress;
    const struct sf_note *last_shown; /* of the notes, with the plan; NULL: none */
    bool has_said_stopping;           /* what is waited for after a signal */
    struct sf_run_events events;      /* pass to sf_run_open() */
};

/* Gives a standard stream that the caller closed /dev/null, so that no file of ours gets its number. First thing in main. */
void sf_ui_open_streams(void);
void sf_ui_init(struct sf_ui *ui, const struct sf_options *options);
/* Takes the progress line away: when planning or applying is over. */
void sf_ui_settle(struct sf_ui *ui);
/* Writes the buffer to stdout as it is, for programs; flushes and frees it. */
void sf_ui_print(struct sf_buf *buf);
/* The same for people. What may hold other people's words steers no terminal: sf_buf_add_shown(), line ends, tabs and our own
 * colours apart. */
void sf_ui_show(const struct sf_ui *ui, struct sf_buf *buf);
/* Writes to stderr, for people; no colours. */
void sf_ui_say(struct sf_str text);
/* Last thing in main: false, said on stderr, if something printed did not get to where stdout goes. */
bool sf_ui_flush(void);
/* "error: ...", "hint: ..." on stderr (or a JSON diagnostic on stdout with -json). Diagnostics of the run come first. */
void sf_ui_error(struct sf_ui *ui, const struct sf_run *run, const struct sf_err *err);
/* Asks for the word `yes`. SF_E_USAGE naming the flag when there is nobody to ask; SF_E_CANCELLED when the answer is another. */
enum sf_code sf_ui_confirm(struct sf_ui *ui, const char *question, struct sf_err *err) SF_MUST_CHECK;
/* Remembers which notes the plan showed. */
void sf_ui_notes_shown(struct sf_ui *ui, const struct sf_run *run);
/* After an apply: notes that came up in it, errors of steps, and what is done, failed, not started, unknown. */
void sf_ui_apply_report(struct sf_ui *ui, const struct sf_run *run, const struct sf_apply_result *result);

#endif
