"""What the report says of a period: numbers from the published facts, and the page of them."""
