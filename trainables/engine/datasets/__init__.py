"""From a file, a hub id or a wheel to labelled rows."""
