"""Makes fixtures/feeds/*.parquet with PyArrow, and the rows that are to be read from them.

    pip install pyarrow==26.0.1
    python3 tools/golden/feeds.py
"""
import datetime
import decimal
import gzip
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parents[2] / "fixtures" / "feeds"
UTC = datetime.timezone.utc

TABLE = pa.table({
    "sku": pa.array(["T1", "T2", "T3"]),
    "title": pa.array(["Oak table", "Elm table", None]).dictionary_encode(),
    "colours": pa.array([["brown", "black"], [], None], pa.list_(pa.string())),
    "price": pa.array([decimal.Decimal("199.90"), decimal.Decimal("-0.05"), None], pa.decimal128(9, 2)),
    "weight": pa.array([12.1, 9.5, None], pa.float32()),
    "depth": pa.array([0.8, float("nan"), None], pa.float64()),
    "stock": pa.array([3, -1, None], pa.int8()),
    "sold": pa.array([2**40, 0, None], pa.int64()),
    "views": pa.array([2**32 - 1, 0, None], pa.uint32()),
    "new": pa.array([True, False, None]),
    "since": pa.array([datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None], pa.date32()),
    "seen_ms": pa.array([datetime.datetime(2026, 3, 9, 14, 30, 0, 123000), None, None], pa.timestamp("ms")),
    "seen_us": pa.array([datetime.datetime(2026, 3, 9, 14, 30, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
    "seen_ns": pa.array([1773066600000000007, None, None], pa.timestamp("ns")),
    "opens": pa.array([datetime.time(9, 30), None, None], pa.time64("us")),
    "size": pa.array([{"w": 80, "h": 75}, None, None], pa.struct([("w", pa.int32()), ("h", pa.int32())])),
    "raw": pa.array([b"plain", b"\xff\x00", None], pa.binary()),
})
ROWS = [
    {
        "sku": "T1", "title": "Oak table", "colours": ["brown", "black"], "price": 199.9, "weight": 12.1, "depth": 0.8,
        "stock": 3, "sold": 2**40, "views": 2**32 - 1, "new": True, "since": "2024-02-29",
        "seen_ms": "2026-03-09T14:30:00.123", "seen_us": "2026-03-09T14:30:00",
        "seen_ns": "2026-03-09T14:30:00.000000007", "opens": "09:30:00", "size": {"w": 80, "h": 75}, "raw": "plain",
    },
    {
        "sku": "T2", "title": "Elm table", "colours": [], "price": -0.05, "weight": 9.5, "depth": None,
        "stock": -1, "sold": 0, "views": 0, "new": False, "since": "1969-12-31",
        "seen_ms": None, "seen_us": None, "seen_ns": None, "opens": None, "size": None, "raw": None,
    },
    {name: "T3" if name == "sku" else None for name in TABLE.column_names},
]

for compression in ["none", "snappy", "gzip", "zstd"]:
    # Two row groups, so that there is a seam to be read across.
    pq.write_table(TABLE, FOLDER / f"{compression}.parquet", compression=compression, row_group_size=2)
whole = (FOLDER / "snappy.parquet").read_bytes()
(FOLDER / "snappy.parquet.gz").write_bytes(gzip.compress(whole, mtime=0))
(FOLDER / "parquet.json").write_text(json.dumps(ROWS, indent=1) + "\n")
