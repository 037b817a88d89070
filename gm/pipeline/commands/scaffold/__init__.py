"""``gm init --from``: an analysis drafted from files of data, or from the config of another program."""
