"""What the walkthrough, the swap and the bench share: real servers in temporary directories, and checks that are counted."""
