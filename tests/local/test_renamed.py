"""What is renamed without `moved` is another thing: the old one goes and the new one is made, in an order that works."""


def test_a_load_under_another_name_takes_the_place_of_the_old_one(ws1):
    ws1.flagship(source="{sample: {rows: 1000}}")
    ws1.apply()
    totals = ws1.totals()
    for old, new in (("weekly_load", "load2"), ("load2", "weekly_load"), ("weekly_load", "load3")):
        ws1.edit("stack.yaml", (f"  {old}:", f"  {new}:"))
        assert ws1.changes() == {f"load.{new}": "create", f"load.{old}": "delete"}
        ws1.apply("-parallelism", "20")
        assert ws1.changes() == {} and ws1.totals() == totals


def test_an_upload_under_another_name_delivers_what_changed_with_it(ws1):
    ws1.flagship(source="{sample: {rows: 1000}}")
    ws1.apply()
    ws1.env["SF_VAR_source"] = "{sample: {rows: 1000, seed: 2}}"
    ws1.edit("stack.yaml", ("  delivery: ", "  delivery2: "), ("from: delivery,", "from: delivery2,"))
    ws1.apply()
    assert "upload.delivery2" in ws1.recorded() and "upload.delivery" not in ws1.recorded()
    ws1.apply()  # what both named went with the old one
    assert ws1.changes() == {}
