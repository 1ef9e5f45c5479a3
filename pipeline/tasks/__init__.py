"""Lightning modules: what is optimised and how it is scored."""
