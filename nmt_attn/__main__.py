"""`python -m nmt_attn`."""

from nmt_attn.cli import main

if __name__ == "__main__":
    main()
