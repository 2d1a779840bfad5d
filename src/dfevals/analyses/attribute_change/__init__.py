"""Why did the number change?"""
