"""Tables that people take away."""

import pandas as pd
import regex

FORMULA = regex.compile(  # a spreadsheet looks past blanks and marks of order, and reads wide signs
    r"[\t\r\n]|[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]*[=+\-@＝＋－＠﹦﹢﹣﹫]"
)


def safe_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 CSV in which no cell starts a spreadsheet formula.

    A text that begins with one of ``= + - @``, a tab or a line break gets an apostrophe in
    front, as OWASP advises against CSV injection; so does one in which only blanks, a byte-order
    mark or other invisible characters come before, and one with a full-width or small form of
    those signs. Numbers stay numbers. Rows end as RFC 4180
    says, so that a lone carriage return inside a text is quoted and cannot begin a row.

    >>> safe_csv(pd.DataFrame({"text": ["=1+1", "dog"], "cosine": [-0.5, 1]})).decode("utf-8-sig")
    "text,cosine\\r\\n'=1+1,-0.5\\r\\ndog,1.0\\r\\n"
    """

    def safe(value: object) -> object:
        risky = isinstance(value, str) and FORMULA.match(value)
        return f"'{value}" if risky else value

    shown = table.rename(columns=lambda name: str(safe(str(name))))
    text: str = shown.map(safe).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")
