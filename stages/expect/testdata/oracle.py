"""What every expectation means, written down a second time, with pandas. Reads a table (CSV) and a list of expectations
(JSON), writes a list of outcomes (JSON): success, element, missing and unexpected counts, the numbers of the first 20
unexpected rows, the observed value."""
import json
import sys

import pandas as pd

table, spec = sys.argv[1], json.load(open(sys.argv[2]))
d = pd.read_csv(table, dtype={"i": "Int64", "j": "Int64", "u": "Int64", "f": "float64", "g": "float64", "s": "object", "p": "object",
                              "b": "object", "e": "object", "t": "object"}, keep_default_na=False, na_values=[""])
d["t"] = pd.to_datetime(d["t"])
d["b"] = d["b"].map({"true": True, "false": False})


def bound(column, x):
    return pd.Timestamp(x) if column == "t" and isinstance(x, str) else x


def outside(v, column, k):
    bad = pd.Series(False, index=v.index)
    low, high = bound(column, k.get("min_value")), bound(column, k.get("max_value"))
    if low is not None:
        bad |= (v <= low) if k.get("strict_min") else (v < low)
    if high is not None:
        bad |= (v >= high) if k.get("strict_max") else (v > high)
    return bad.astype(bool)


def mapped(k, considered, bad):
    """considered, bad: boolean per row."""
    bad = bad.reindex(d.index, fill_value=False).astype(bool)
    n, unexpected = int(considered.sum()), int(bad.sum())
    return {"success": n == 0 or (n - unexpected) / n >= k.get("mostly", 1.0), "element": len(d), "missing": len(d) - n,
            "unexpected": unexpected, "rows": [int(x) + 1 for x in d.index[bad][:20]]}


def disorder(v, k, up):
    diff = v.diff() if v.dtype != object else None
    if diff is None:  # texts
        prev = v.shift(1)
        bad = [False] + [not ((a > b if k.get("strictly") else a >= b) if up else (a < b if k.get("strictly") else a <= b))
                         for a, b in zip(v.iloc[1:], prev.iloc[1:])]
        return pd.Series(bad[:len(v)], index=v.index, dtype=bool)
    zero = pd.Timedelta(0) if str(diff.dtype).startswith("timedelta") else 0
    ok = (diff > zero if k.get("strictly") else diff >= zero) if up else (diff < zero if k.get("strictly") else diff <= zero)
    bad = ~ok.astype("boolean").fillna(True)
    return bad.astype(bool) & (pd.Series(range(len(v)), index=v.index) > 0)


def aggregate(name, v):
    if len(v) == 0:
        return None
    if name == "min":
        return v.min()
    if name == "max":
        return v.max()
    if name == "mean":
        return v.mean()
    if name == "median":
        return v.median()
    if name == "stdev":
        return v.std(ddof=1) if len(v) > 1 else None
    if name == "sum":
        return v.sum()
    if name == "unique_value_count":
        return v.nunique()
    return v.nunique() / len(v)


def observed(k, value, column=None):
    if value is None:
        return {"success": False, "observed": None}
    ok = not bool(outside(pd.Series([value]), column, k).iloc[0])
    if isinstance(value, pd.Timestamp):
        value = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"success": ok, "observed": value if isinstance(value, (str, int)) else float(value)}


def column_map(name, k):
    c = k["column"]
    v = d[c].dropna()
    there = d[c].notna()
    everything = pd.Series(True, index=d.index)
    if name == "column_values_to_not_be_null":
        return mapped(k, everything, ~there)
    if name == "column_values_to_be_null":
        return mapped(k, everything, there)
    if name == "column_values_to_be_between":
        return mapped(k, there, outside(v, c, k))
    if name in ("column_values_to_be_in_set", "column_values_to_not_be_in_set"):
        inside = v.isin([bound(c, x) for x in k["value_set"]])
        return mapped(k, there, ~inside if name == "column_values_to_be_in_set" else inside)
    if name == "column_values_to_be_unique":
        return mapped(k, there, v.duplicated(keep=False))
    if name == "column_values_to_match_regex":
        return mapped(k, there, ~v.str.contains(k["regex"]).astype(bool))
    if name == "column_values_to_not_match_regex":
        return mapped(k, there, v.str.contains(k["regex"]).astype(bool))
    if name in ("column_values_to_be_increasing", "column_values_to_be_decreasing"):
        return mapped(k, there, disorder(v, k, name.endswith("increasing")))
    if name == "column_value_lengths_to_be_between":
        return mapped(k, there, outside(v.str.len().astype("int64") if len(v) else pd.Series(dtype="int64"), None, k))
    raise KeyError(name)


def several(name, k):
    if name == "compound_columns_to_be_unique":
        keys = d[k["column_list"]]
        there = ~keys.isna().all(axis=1)
        return mapped(k, there, keys[there].duplicated(keep=False))
    a, b = d[k["column_A"]], d[k["column_B"]]
    there = ~(a.isna() & b.isna())
    good = ((a >= b) if k.get("or_equal") else (a > b)).astype("boolean").fillna(False).astype(bool) & a.notna() & b.notna()
    return mapped(k, there, there & ~good)


def whole(name, k):
    names = list(d.columns)
    if name == "column_to_exist":
        return {"success": k["column"] in names}
    if name == "table_row_count_to_be_between":
        return observed(k, len(d))
    if name == "table_row_count_to_equal":
        return {"success": len(d) == k["value"], "observed": len(d)}
    if name == "table_column_count_to_be_between":
        return observed(k, len(names))
    if name == "table_columns_to_match_ordered_list":
        return {"success": names == k["column_list"]}
    if name == "table_columns_to_match_set":
        want = set(k["column_set"])
        return {"success": want == set(names) if k.get("exact_match", True) else want <= set(names)}
    raise KeyError(name)


out = []
for name, k in spec:
    if name.startswith("column_") and name.endswith("_to_be_between") and name not in ("column_values_to_be_between", "column_value_lengths_to_be_between"):
        out.append(observed(k, aggregate(name[len("column_"):-len("_to_be_between")], d[k["column"]].dropna()), k["column"]))
    elif name.startswith("column_value"):
        out.append(column_map(name, k))
    elif name in ("compound_columns_to_be_unique", "column_pair_values_a_to_be_greater_than_b"):
        out.append(several(name, k))
    else:
        out.append(whole(name, k))
json.dump(out, sys.stdout)
