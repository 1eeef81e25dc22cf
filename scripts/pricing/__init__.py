"""Parts of `scripts/update_model_pricing.py`: dated price lists, history and differences."""
