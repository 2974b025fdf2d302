"""The CSV engine against PostgreSQL's COPY ... (FORMAT csv): a million random fields, then texts that are mostly broken.

Both print what they read as COPY ... TO does (`sfprobe copy`): "" and nothing differ there, and so does every byte of a value. The
engine reads each file in blocks of several sizes, on one thread and on some, by every scanner that the machine has.

Where the two differ on purpose, COPY gets the file that says the same in its own words, or the rule is a test of its own:
- a byte order mark: COPY takes it for text of the first field; for us it is no data
- a quote inside an unquoted field: COPY drops it and quotes from there on; for us it is a character
- text after a closing quote: COPY joins it; we refuse the file
- a line of only \\.: COPY (before PostgreSQL 18) ends the data there; for us it is a record
- a field over 4 MiB, a record over 16 MiB: COPY takes up to 1 GB; we refuse the file
Ragged records, mixed line ends, NUL, bad UTF-8 and quotes that never end are refused by both.
"""

import os
import random
import subprocess

import pytest

import postgres
from conftest import BUILD

SEED = int(os.environ.get("SF_CSV_SEED", random.SystemRandom().randrange(1 << 32)))
FIELDS = int(os.environ.get("SF_CSV_FIELDS", 1_000_000))
BLOCKS = [4, 17, 64, 100, 4096, 65536, 262144]
RARE = ['"', '""', ",", "\n", "\r", "\r\n", "\n\n", "\\", "\\N", "\t", "\x01", "\x7f", "\xa0", "é", "\u07ff", "\u0800", "’", "\ud7ff",
        "\ufeff", "\uffff", "\U00010000", "😀", "\U0010ffff"]


# --- a server of its own ---

class Server(postgres.Server):
    def statements(self, path, columns):
        names = ", ".join(f"c{i}" for i in range(columns))
        return [f"create temp table t (n serial, {names.replace(',', ' text,')} text)", f"copy t ({names}) from '{path}' (format csv)",
                f"copy (select {names} from t order by n) to stdout"]

    def copy(self, data, columns):
        """(exit code, the rows as COPY TO prints them, what was said)."""
        path = f"{self.dir}/copy.csv"
        write(path, data)
        commands = [word for statement in self.statements(path, columns) for word in ("-c", statement)]
        done = self.psql("-v", "ON_ERROR_STOP=1", *commands)
        return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture(scope="module")
def server():
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def ours(path, block=BLOCKS[-1], threads=1):
    done = subprocess.run([f"{BUILD}/sfprobe", "copy", path, str(block), str(threads)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.returncode, done.stdout, done.stderr.decode()


def assert_same(have, want, about):
    """Equal; the first line that is not, if they are not: the whole is too much to print."""
    if have != want:
        have, want = have.split(b"\n"), want.split(b"\n")
        at = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
        pytest.fail(f"{about}: {len(have)} rows, not {len(want)}; row {at + 1}: {have[at:at + 1]!r:.2000}, not {want[at:at + 1]!r:.2000}")


# --- a million fields ---

def some_text(rng, longest):
    length = int(longest ** rng.random())
    words = rng.choices(["word", "a", "x y", "12.50", " "], k=length // 4 + 1)
    for _ in range(rng.randrange(4)):
        words[rng.randrange(len(words))] = rng.choice(RARE)
    return "".join(words)


def field(rng, at, edge, longest):
    """A field as it stands in the file, mostly short; sometimes just so long that it ends at, before or behind an edge."""
    kind = rng.random()
    if kind < 0.15:
        return b""
    if kind < 0.25:
        return b'""'
    if kind < 0.30:
        return b" " * rng.randrange(1, 4)
    if kind < 0.65:
        return b"%d" % rng.randrange(100000)
    if kind < 0.75:
        is_quoted = rng.random() < 0.5
        n = edge - at % edge + rng.randrange(-2, 3) - (2 if is_quoted else 0)
        text = (b"x" if rng.random() < 0.5 else b"\n" if is_quoted else b" ") * (n if n > 0 else n + edge)
        return b'"%b"' % text if is_quoted else text
    text = some_text(rng, longest)
    if rng.random() < 0.3 or set(text) & set('",\r\n') or text.startswith("\\."):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()


def random_file(rng, number, wanted):
    """(bytes without a mark, columns, fields)."""
    columns = rng.choice([1, 2, 3, 7, 20])
    end = [b"\n", b"\r\n", b"\r"][number % 3 if number % 6 < 3 else number % 2]
    edge, longest = rng.choice([(64, 30), (64, 200), (32, 10), (4096, 5000), (262144, 60)])
    if edge == 262144:
        wanted = min(wanted, 200)
    out, size, n = [], 0, 0
    while n < wanted:
        for i in range(columns):
            piece = field(rng, size, edge, longest)
            if i + 1 < columns:
                piece += b","
            out.append(piece)
            size += len(piece)
        out.append(end)
        size += len(end)
        n += columns
    if rng.random() < 0.5:
        if out[-2] == b"" and columns == 1:  # without its line end the record would be gone
            out[-2] = b'""'
        out.pop()
    return b"".join(out), columns, n


def test_a_million_random_fields_are_read_as_copy_reads_them(server, tmp_path):
    print(f"SF_CSV_SEED={SEED}")
    rng = random.Random(SEED)
    path, n_fields, n_bytes, number = str(tmp_path / "random.csv"), 0, 0, 0
    while n_fields < FIELDS:
        data, columns, n = random_file(rng, number, min(FIELDS - n_fields, rng.choice([50, 2000, 60000])))
        code, want, said = server.copy(data, columns)
        assert code == 0, said
        has_mark = rng.random() < 0.3 or data.startswith(b"\xef\xbb\xbf")
        write(path, b"\xef\xbb\xbf" * has_mark + data)
        block = BLOCKS[number % len(BLOCKS)] if len(data) < 1 << 20 or number % 4 else BLOCKS[-1]
        for block, threads in ((block, 1), (block, rng.randrange(2, 5)), (BLOCKS[-1], 1)):
            code, have, said = ours(path, block, threads)
            about = f"SF_CSV_SEED={SEED}, file {number}, {columns} columns, blocks of {block}, {threads} threads"
            assert code == 0, f"{about}: {said}"
            assert_same(have, want, about)
        n_fields, n_bytes, number = n_fields + n, n_bytes + len(data), number + 1
    print(f"{n_fields} fields, {n_bytes} bytes, {number} files")


# --- broken texts ---

def manner(text):
    """What only one of the two takes as it stands: "joined" text after a closing quote, a "bare" quote in an unquoted field; or ""."""
    at, found = "start", ""
    for c in text:
        if at == "quoted":
            at = "closed" if c == '"' else at
        elif c in ",\n\r":
            at = "start"
        elif c == '"':
            found = found or ("bare" if at == "bare" else "")
            at = "bare" if at == "bare" else "quoted"
        elif at == "closed":
            return "joined"
        else:
            at = "bare"
    return found


def test_broken_texts_are_refused_where_copy_refuses_them(server, tmp_path):
    print(f"SF_CSV_SEED={SEED}")
    rng = random.Random(SEED + 1)
    cases, script = [], []
    for number in range(1500):
        columns = rng.randrange(1, 4)
        end = rng.choice(["\n", "\n", "\r\n", "\r"])
        pieces = ["a", "a", "é", ",", end, end, '"', '"q"', '""', '"a""b"', f'"{end}"', f",{end}"]
        if number % 4 == 0:
            pieces += ["\n", "\r", "\0", "\udc80", "\udced\udca0\udc80"]
        records = [rng.choices(pieces, k=rng.randrange(8)) for _ in range(rng.randrange(3))]
        if number % 2:  # of the right number of fields, so that many are accepted
            whole = ["a", "é", '"q"', '"a""b"', f'"{end}"', '""', ""]
            records = [[",".join(rng.choices(whole, k=columns)), end] for _ in range(3)] + records[:1]
        text = end.join([",".join(["h"] * columns), ""]) + "".join("".join(r) for r in records)
        path = f"{server.dir}/{number}.csv"
        write(path, text.encode("utf-8", "surrogateescape"))
        cases.append((text, path))
        script += [f"\\echo case {number}", *(s + ";" for s in server.statements(path, columns)), "drop table t;"]
    done = server.psql("-f", "-", input="\n".join(script).encode())
    answers = done.stdout.split(b"case ")[1:]
    errors = set()
    for line in done.stderr.decode().splitlines():
        if "ERROR" in line:  # psql:<stdin>:LINE: ERROR: ...
            errors.add((int(line.split(":")[2]) - 1) // 5)
    assert len(answers) == len(cases)
    seen = {}
    for number, (text, path) in enumerate(cases):
        code, have, said = ours(path, rng.choice(BLOCKS), rng.randrange(1, 3))
        about = f"SF_CSV_SEED={SEED}, case {number}, {text!r}"
        how = manner(text)
        seen[how, code] = seen.get((how, code), 0) + 1
        if how == "joined":
            assert code == 1, f"{about}: accepted"
        elif how == "":
            assert code == (number in errors), f"{about}: {said or 'accepted'}"
            if code == 0:
                assert_same(have, answers[number].partition(b"\n")[2], about)
        os.unlink(path)
    print(seen)
    assert seen["", 0] > 200 and seen["", 1] > 200 and seen["joined", 1] > 50, seen


# --- where the two differ on purpose ---

def test_what_copy_takes_and_we_refuse_is_refused_with_its_place(server, tmp_path):
    path = str(tmp_path / "f.csv")
    for data, copied, place, words in [
        (b'a,b\n"1"x,2\n', b"a\tb\n1x\t2\n", "2:4", "after a closing quote"),
        (b'a,b\n"1" ,2\n', b"a\tb\n1 \t2\n", "2:4", "after a closing quote"),
        (b"a\n" + b"x" * (4 << 20) + b"x\n", None, "2:1", "4 MiB"),
    ]:
        code, have, said = server.copy(data, data.split(b"\n")[0].count(b",") + 1)
        assert code == 0 and (copied is None or have == copied), said
        write(path, data)
        code, have, said = ours(path)
        assert code == 1 and f":{place}: " in said and words in said, said


def test_what_both_take_but_we_as_it_stands(server, tmp_path):
    path = str(tmp_path / "f.csv")
    for data, copied, mine in [
        (b'37.8"N,1\n', None, b'37.8"N\t1\n'),
        (b'a"b"c,1\n', b"abc\t1\n", b'a"b"c\t1\n'),
        (b"\xef\xbb\xbfa,1\n", b"\xef\xbb\xbfa\t1\n", b"a\t1\n"),
        (b'\xef\xbb\xbf"a,b",1\n', b"\xef\xbb\xbfa,b\t1\n", b"a,b\t1\n"),
        (b'"\n\\.\n",1\n', b"\\n\\\\.\\n\t1\n", b"\\n\\\\.\\n\t1\n"),
    ]:
        code, have, said = server.copy(data, 2)
        assert (code, have) == ((1, b"") if copied is None else (0, copied)), (data, said)
        write(path, data)
        for block in BLOCKS:
            assert ours(path, block) == (0, mine, ""), data


def test_a_line_of_backslash_and_dot_is_a_record(tmp_path):
    """COPY would end there before PostgreSQL 18, and lose what follows."""
    write(path := str(tmp_path / "f.csv"), b"a\n\\.\nb\n")
    assert ours(path) == (0, b"a\n\\\\.\nb\n", "")
