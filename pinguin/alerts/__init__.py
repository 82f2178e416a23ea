"""What is said when something happens, and how it is delivered. It decides nothing and knows no database."""
