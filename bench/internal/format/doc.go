// Package format has the formats that all reports share, so that a figure looks the same wherever
// it is printed: numbers, estimates with their intervals, words, tables and CSV files.
//
//	var columns format.Columns[Contender]
//	columns.Add("contender", func(c Contender) string { return c.Name })
//	ratio := func(c Contender) string { return format.Estimate(c.Ratio, threeDecimals) }
//	columns.Add("ratio", ratio)
//	err := columns.WriteTable(os.Stdout, "How fast they are", contenders, 1)
package format
