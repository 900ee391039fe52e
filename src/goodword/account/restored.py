"""A restored backup brings people back who were erased since: before anything is served, sent or changed, they go again."""
