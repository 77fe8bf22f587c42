package sql

import (
	"fmt"
	"strings"
)

// single checks that the tokens are one SELECT and takes the semicolon from its end.
func single(tokens []token, query string) ([]token, string, error) {
	for i, t := range tokens {
		if t.kind != symbol || t.text != ";" {
			continue
		}
		if i+1 < len(tokens) {
			return nil, "", fmt.Errorf("%s: a second statement begins here: write one SELECT", tokens[i+1].place())
		}
		tokens, query = tokens[:i], query[:t.offset]
	}
	if len(tokens) == 0 {
		return nil, "", fmt.Errorf("the query is empty: write a SELECT")
	}
	for _, t := range tokens {
		if t.depth == 0 && tokens[0].is("with") && changes(t) {
			return nil, "", fmt.Errorf("%s: %s is refused here: a query makes a table and changes nothing", t.place(), strings.ToUpper(t.text))
		}
	}
	switch t := tokens[0]; {
	case t.is("select"), t.is("with"), t.is("from"), t.is("values"), t.kind == symbol && t.text == "(":
		return tokens, query, nil
	default:
		return nil, "", fmt.Errorf("%s: the query begins with %s, and must be a SELECT (also WITH, FROM or VALUES)",
			t.place(), strings.ToUpper(t.text))
	}
}

func changes(t token) bool {
	return t.is("insert") || t.is("update") || t.is("delete") || t.is("merge")
}

// endsOrdered reports whether the whole result has an ORDER BY.
func endsOrdered(tokens []token) bool {
	for i := 1; i < len(tokens); i++ {
		if tokens[i].depth == 0 && tokens[i].is("by") && tokens[i-1].is("order") {
			return true
		}
	}
	return false
}

// forbid refuses functions whose result is not a function of the inputs.
func forbid(tokens []token) error {
	for i, t := range tokens {
		if t.kind != word && t.kind != quoted {
			continue
		}
		var next, prev token
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		if i > 0 {
			prev = tokens[i-1]
		}
		call := next.kind == symbol && next.text == "("
		switch {
		case call && forbiddenCall(t.text):
			return fmt.Errorf("%s: %s() is refused here: %s", t.place(), t.text, why(t.text))
		case call && t.text == "age" && arguments(tokens[i+1:]) == 1:
			return fmt.Errorf("%s: age() of one date is refused here: it counts from today. Give it both dates", t.place())
		case clockWord(t.text) && !named(prev, next):
			return fmt.Errorf("%s: %s is refused here: %s", t.place(), t.text, why(t.text))
		case catalog(t.text) && t.kind == word && !(prev.kind == symbol && prev.text == "."):
			return fmt.Errorf("%s: %s tells of the session, and not of the inputs: it is refused here", t.place(), t.text)
		case t.is("sample") && prev.is("using") || t.is("tablesample") && !repeatable(tokens[i:]):
			return fmt.Errorf("%s: a sample is another one in every run: give it a seed, as in FROM bars TABLESAMPLE bernoulli(10%%) REPEATABLE (42)", t.place())
		}
	}
	return nil
}

// named reports whether a word between prev and next is the name of something: behind a dot or AS, or before a dot.
func named(prev, next token) bool {
	return prev.kind == symbol && prev.text == "." || prev.is("as") || next.kind == symbol && next.text == "."
}

func clockWord(name string) bool {
	switch name {
	case "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
		"current_localtime", "current_localtimestamp":
		return true
	}
	return false
}

// catalog says whether a name is one of the tables in which DuckDB tells of itself.
func catalog(name string) bool {
	return name == "information_schema" || name == "pg_catalog" || strings.HasPrefix(name, "duckdb_") ||
		strings.HasPrefix(name, "pragma_") || strings.HasPrefix(name, "sqlite_")
}

func repeatable(tokens []token) bool {
	for _, t := range tokens {
		if t.is("repeatable") {
			return true
		}
	}
	return false
}

// arguments counts those of the call whose parenthesis tokens begin with.
func arguments(tokens []token) int {
	if len(tokens) < 2 || tokens[1].text == ")" && tokens[1].kind == symbol {
		return 0
	}
	n, depth := 1, tokens[0].depth
	for _, t := range tokens[1:] {
		switch {
		case t.depth == depth:
			return n
		case t.depth == depth+1 && t.kind == symbol && t.text == ",":
			n++
		}
	}
	return n
}

// reason says why calls are refused; names that end in * stand for all that begin so.
type reason struct {
	why   string
	names string
}

func reasons() []reason {
	return []reason{
		{"it gives another result in every run. Pass what you need in params", `
			random setseed uuid uuidv4 uuidv7 gen_random_uuid now today ago get_current_time get_current_timestamp
			transaction_timestamp current_date current_time current_timestamp current_localtime current_localtimestamp
			localtime localtimestamp txid_current nextval currval reservoir_quantile sleep_ms pg_sleep pg_conf_load_time
			pg_postmaster_start_time`},
		{"a query reads its inputs and nothing else. Declare an input block for the file", `
			read_* parquet_* glob sniff_csv csv_scan json_scan ndjson_scan arrow_scan* pandas_scan python_map_function
			seq_scan index_scan iceberg_* delta_scan sqlite_scan sqlite_query postgres_* mysql_* st_read* excel_scan
			add_parquet_key import_database copy_database`},
		{"it runs text as a query. Write the query itself", `query query_table json_execute_serialized_sql sql_auto_complete from_substrait*`},
		{"it tells of the session, and not of the inputs", `
			duckdb_* pragma_* current_* version platform user user_agent session_user getenv getvariable which_secret
			show show_* database_list database_size databases tables storage_info table_info functions collations
			extension_versions metadata_info in_search_path format_type stats get_block_size write_log has_* inet_* pg_get_* pg_has_role
			pg_is_other_temp_schema pg_my_temp_schema col_description obj_description shobj_description txid_* test_all_types
			test_vector_types summary_internal icu_calendar_names pg_timezone_names repeat_row_internal all_profiling_output
			checkpoint force_checkpoint enable_* disable_* verify_* check_peg_parser truncate_duckdb_logs`},
	}
}

func forbiddenCall(name string) bool { return why(name) != "" }

func why(name string) string {
	for _, r := range reasons() {
		for _, n := range strings.Fields(r.names) {
			if prefix, all := strings.CutSuffix(n, "*"); n == name || all && strings.HasPrefix(name, prefix) {
				return r.why
			}
		}
	}
	return ""
}
