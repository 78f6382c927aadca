// Reads dashboards by Grafana's schema: unknown fields, missing ones, and what they may not say.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var read dashboard.Dashboard
		// An error without a text is none.
		if err := read.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
			fmt.Printf("%s:\n%v\n", name, err)
		}
		if err := read.Validate(); err != nil && err.Error() != "" {
			fmt.Printf("%s:\n%v\n", name, err)
		}
	}
}
