"""Parts of the event loader: input lines, payloads, names, values, times, warehouse writer."""
