"""What a sample of text says about a file: delimiter, quotes, header, decimal sign, and when it says nothing."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.cells import guess_decimal, is_header
from shared.formats.dialect import sniff
from shared.formats.records import Records, Shape
from shared.formats.table import ReadOptions, unique_names


def seen(text: str, **options):
    return sniff(text, ReadOptions(**options), whole=True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
def test_the_delimiter_is_the_one_that_gives_equal_rows(delimiter):
    text = "\n".join(delimiter.join(row) for row in [("id", "city", "sold"), ("1", "Bonn", "2.5"), ("2", "Ulm", "3")])
    found = seen(text)
    assert (found.shape.delimiter, found.names) == (delimiter, ("id", "city", "sold"))


def test_a_delimiter_inside_quotes_does_not_fool_the_sniffer():
    found = seen('name;note\n"a,b,c";"d,e,f"\n"g,h,i";"j,k,l"\n')
    assert (found.shape.delimiter, found.names) == (";", ("name", "note"))


def test_decimal_commas_do_not_make_a_comma_file():
    found = seen("city;share;price\nUlm;0,5;1,25\nBonn;0,7;2,75\n")
    assert (found.shape.delimiter, found.decimal) == (";", ",")


def test_prose_with_commas_is_one_column_and_says_so():
    found = seen("city\nParis, France\nUlm, Germany\nBath, England\n")
    assert found.names == ("city",)
    assert "Only one column was found." in found.notes


def test_single_quotes_are_quotes_when_they_hold_delimiters():
    found = seen("id,name\n1,'Smith, Ann'\n2,'O''Hara, Jo'\n")
    assert found.shape.quote == "'"
    assert [record.cells for record in found.rows] == [["1", "Smith, Ann"], ["2", "O'Hara, Jo"]]


def test_titles_above_the_header_are_skipped_and_counted():
    found = seen("Sales of May\n\nid,sold\n1,2\n2,3\n")
    assert (found.names, found.first_line) == (("id", "sold"), 4)
    assert "1 line before the header was skipped." in found.notes


def test_a_header_one_name_short_is_not_taken_for_a_title():
    found = seen("id,name,city\n1,a,x,9\n2,b,y,9\n3,c,z,9\n")
    assert found.names == ("id", "name", "city")


def test_a_first_line_of_data_is_not_a_header():
    found = seen("1,Ann,2020-01-01\n2,Jo,2020-01-02\n")
    assert found.names == ("column_1", "column_2", "column_3")
    assert found.first_line == 1


def test_years_may_be_column_names():
    assert is_header(["country", "2019", "2020"], [["FR", "1.5", "2.5"], ["DE", "3.5", "4.5"]])


def test_a_delimiter_of_two_characters_is_refused_with_its_name():
    with pytest.raises(UnreadableFileError, match=r"\+\|"):
        seen("a+|b+|c\n1+|2+|3\n4+|5+|6\n")


def test_lines_that_split_every_way_are_refused():
    text = "a,b\nc,d,e,f\ng\nh,i,j,k,l,m\nn;o\np;q;r\ns|t\nu,v,w\n"
    with pytest.raises(UnreadableFileError, match="delimiter"):
        seen(text)


@pytest.mark.parametrize(
    ("text", "said"), [("\n \n\n", "blank"), ("id,name\n", "no rows"), ("id,name\n\n\n", "no rows")]
)
def test_an_empty_table_says_what_is_missing(text, said):
    with pytest.raises(EmptyFileError, match=said):
        seen(text)


@pytest.mark.parametrize(
    ("cells", "delimiter", "decimal", "noted"),
    [
        (["1,5", "2,75"], ";", ",", True),
        (["1.5", "2.75"], ";", ".", False),
        (["1.234,50", "2.000,00"], "\t", ",", True),
        (["1,234.50", "2,000.00"], "\t", ".", False),
        (["1,234", "5,678"], ";", ",", True),
        (["1,234", "5,678"], "\t", ".", True),
        (["1.234", "5.678"], ";", ".", True),
        (["1.234", "5.678"], "\t", ".", True),
        (["1.234", "0.5"], ";", ".", False),
        (["1.234", "5,6"], ";", ",", True),
        (["1.234", "5.678"], ",", ".", False),
        (["1,7"], ",", ".", True),
        (["abc", "d,e"], ";", ".", False),
    ],
)
def test_the_decimal_sign_is_proven_or_noted(cells, delimiter, decimal, noted):
    found, note = guess_decimal([[cell] for cell in cells], delimiter)
    assert (found, bool(note)) == (decimal, noted)


@pytest.mark.parametrize(
    ("text", "is_long"),
    [
        ("id,total\n1,12.50\n2,3.1234\n", False),
        ("id,day\n1,20240101\n2,20240102\n", False),
        ("id,total\n1,12.50\n2,3.12345\n", True),
        ("id,total\n1,12.50\n2,1E-05\n", True),
        ("id;total\n1;1.000,5\n2;3,12345\n", True),
        ("id;total\n1;1.000,5\n2;3,1234\n", False),
    ],
)
def test_only_a_sample_with_many_decimals_asks_for_a_second_look(text, is_long):
    assert seen(text).long_fractions == is_long


def test_repeated_and_missing_names_are_renamed_never_dropped():
    names, notes = unique_names(["id", "name", "ID", "", "id", "id_1", "_problem"])
    assert len({name.lower() for name in names}) == len(names) == 7
    assert names[:2] == ("id", "name")
    assert names[3] == "column_4"
    assert len(notes) == 4


def test_a_quote_that_never_closes_costs_one_line_not_the_rest_of_the_file():
    text = 'a,b\n1,"x\n' + "".join(f"{i},y\n" for i in range(2, 10))
    records = list(Records(iter(io.StringIO(text, newline="")), Shape(",")))
    assert [record.line for record in records] == list(range(1, 11))
    assert [bool(record.problem) for record in records] == [False, True] + [False] * 8
    assert records[1].original == '1,"x\n'


CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 5).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=3)),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_table_is_read_back_when_the_delimiter_is_named(rows, delimiter, end):
    assume(all("\\" not in cell for row in rows for cell in row))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    found = sniff(out.getvalue(), ReadOptions(delimiter=delimiter, quote='"', header=False), whole=True)
    assert [record.cells for record in found.rows] == [row for row in rows if any(cell.strip() for cell in row)][:50]


def test_quotes_that_come_late_are_quotes_though_commas_stand_in_the_text_before():
    lines = (
        ["id;text;n"] + [f"{n};BOX,SET OF {n};1" for n in range(300)] + [f'{n};"FRAME 7"" {n}";1' for n in range(300)]
    )
    assert sniff("\n".join(lines) + "\n", ReadOptions(), whole=True).shape.quote == '"'
