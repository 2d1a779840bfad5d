"""What would it score on another mix of cohorts?"""
