"""The whole flagship on AWS, data included, by every road: made, loaded, left alone, one year changed, taken down; and each time the same
tables as in the local world."""

import os

import pytest

from aws.data_world import (BY_BUCKET, FILE, PROVISIONED, PROVISIONED_DIRECT, SERVERLESS, SERVERLESS_DIRECT, TABLES, Finance,
                            local_checksums, of_years, with_one_amount_changed)
from conftest import Sample, Workspace

IS_WHOLE = os.environ.get("SF_SLOW") == "1"  # the whole sample, of all its years
ROWS, SINCE, YEAR = 776841 if IS_WHOLE else 20000, 2018, "2020"
IN_WAREHOUSE = ("conform: builtin:sf/spending_revenue", "conform: {rules: builtin:sf/spending_revenue, in: warehouse}")
ROADS = {  # by SFTP or into the bucket; the Data API or a connection; whose cluster; who conforms
    "sftp-data_api-serverless": (SERVERLESS, ()),
    "bucket-data_api-provisioned": (PROVISIONED, (BY_BUCKET,)),
    "bucket-direct-serverless": (SERVERLESS_DIRECT, (BY_BUCKET,)),
    "sftp-direct-provisioned": (PROVISIONED_DIRECT, ()),
    "bucket-data_api-serverless-in_warehouse": (SERVERLESS, (BY_BUCKET, IN_WAREHOUSE)),
}


@pytest.fixture
def finance(installed, data_server):
    ws = Finance(installed, data_server)
    try:
        yield ws
        assert ws.problems() == []
    finally:
        ws.close()


class Weeks:
    """The same table of two weeks, and what the local world makes of it."""

    def __init__(self, installed, folder, rows):
        text = Sample(installed, folder, rows).text()
        self.texts = [text if IS_WHOLE else of_years(text, SINCE)]
        self.texts.append(with_one_amount_changed(self.texts[0], YEAR))
        self.checksums = []
        ws = Workspace(installed, None)
        try:
            ws.flagship(source=FILE)
            for text in self.texts:
                ws.write("rows.csv", text)
                ws.apply()
                self.checksums.append(local_checksums(ws))
        finally:
            ws.close()


@pytest.fixture(scope="module")
def both_weeks(installed, tmp_path_factory):
    return Weeks(installed, tmp_path_factory.mktemp("weeks"), ROWS)


@pytest.mark.parametrize("road", ROADS)
def test_the_tables_are_those_of_the_local_world_by_every_road(finance, both_weeks, road):
    cluster, changes = ROADS[road]
    finance.flagship(*changes, cluster=cluster)
    finance.write("rows.csv", both_weeks.texts[0])
    finance.apply()
    assert finance.checksums() == both_weeks.checksums[0] and set(both_weeks.checksums[0]) == set(TABLES)
    before = finance.ledger()
    with finance.nothing_to_do():
        assert finance.changes() == {} and finance.drift() == {}

    finance.write("rows.csv", both_weeks.texts[1])
    finance.apply()
    assert finance.checksums() == both_weeks.checksums[1]
    after = finance.ledger()
    assert {entry for entry in after if after[entry] != before.get(entry)} == {("(load)", None), ("transaction", YEAR),
                                                                                          ("code_alias", YEAR)}
    assert finance.changes() == {}

    finance.ok("sfdestroy", "-auto-approve")
    assert finance.inventory() == {} and finance.recorded() == []
