"""The calls of `import search`: words, frames, results that show themselves."""
