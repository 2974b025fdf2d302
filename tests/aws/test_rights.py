"""What the caller may not do is said before anything is done: IAM's simulation, asked for every statement at the same time."""

ASK = "SimulatePrincipalPolicy"


def notes(plan):
    return [line for line in plan.out.splitlines() if line.startswith("note: ") and "caller" in line]


def test_the_questions_are_asked_at_the_same_time(aws):
    """The first four wait for each other in the server: asked one after the other the first would never get its answer."""
    aws.infrastructure()
    aws.fault(ASK, "together", times=4, ms=10000)
    plan = aws.ok("sfplan")
    assert notes(plan) == [], plan
    assert aws.count(ASK) > 4
    assert aws.control("GET", "faults")[0]["fired"] == 4


def test_what_is_denied_is_noted_in_the_same_order_however_many_are_asked_at_a_time(aws):
    aws.infrastructure()
    aws.settings(denied=["s3:PutBucket*", "transfer:CreateServer", "redshift-serverless:Create*"])
    plans = [aws.ok("sfplan", f"-parallelism={n}") for n in (1, 3, 10)]
    found = notes(plans[0])
    assert len(found) > 4 and notes(plans[1]) == found and notes(plans[2]) == found, plans[2]
    for action in ("s3:PutBucket", "transfer:CreateServer", "redshift-serverless:Create"):
        assert [line for line in found if f"seems not to be allowed {action}" in line], (action, found)


def test_who_may_not_ask_reads_one_note_and_is_not_asked_on(aws):
    aws.infrastructure()
    aws.fault(ASK, "deny")
    for n in (1, 10):
        aws.control("DELETE", "log")
        plan = aws.ok("sfplan", f"-parallelism={n}")
        assert len(notes(plan)) == 1 and "could not be asked" in notes(plan)[0] and ASK in notes(plan)[0], plan
        assert 1 <= aws.count(ASK) <= n


def test_a_question_that_is_turned_away_for_now_is_asked_again(aws):
    aws.infrastructure()
    aws.fault(ASK, "throttle", times=3)
    assert notes(aws.ok("sfplan")) == []


def test_nothing_is_asked_for_a_plan_without_changes_or_one_that_reads_nothing(aws):
    aws.resources("  landing: {kind: bucket, name: tryout-landing}")
    asked = [call for call in aws.calls_of("sfplan", "-refresh=false") if call["action"] == ASK]
    aws.apply()
    assert asked + [call for call in aws.calls_of("sfplan") if call["action"] == ASK] == []
